#include "kmeans/assign.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "kernels/dispatch.hpp"
#include "kmeans/decide.hpp"
#include "kmeans/dense_assigner.hpp"
#include "kmeans/narrow_assigner.hpp"
#include "kmeans/screen.hpp"

namespace kmosaic {

namespace {

constexpr float kUnscreened = std::numeric_limits<float>::infinity();

// A block's rows and scores, 4 bytes each, should stay within a core's L2 cache.
constexpr std::size_t kBlockWords = 1 << 16;

std::size_t block_rows(std::size_t words_a_row, std::size_t row_group) {
    const std::size_t fitting = std::clamp<std::size_t>(kBlockWords / words_a_row, 16, 1024);
    return (fitting + row_group - 1) / row_group * row_group;
}

// What is assigned, to what, by which kernels. One table throughout: another thread may select another.
struct Task {
    const Rows& rows;
    const Centers& centers;
    const Kernels& table;
    Moves* moves;
};

// One thread's last stage: the exact nearest of the centroids that a screen has left.
class Decider {
  public:
    explicit Decider(const Task& task) : task_(task), row_(task.rows.n_features, 0.0) {}

    // `scores` are lower bounds, and no centroid whose bound is above `limit` can be the nearest.
    std::size_t operator()(std::size_t row, const float* scores, std::size_t n_scores, float limit) {
        std::size_t last = 0;
        const bool screened = limit < kUnscreened;
        if (screened && task_.table.screen->count(scores, n_scores, limit, &last) == 1) return last;
        candidates_.clear();
        for (std::size_t j = 0; j < task_.centers.n_clusters; ++j)
            if (!screened || scores[j] <= limit) candidates_.push_back(j);
        task_.table.exact->widen[task_.rows.dtype](task_.rows.row(row), task_.rows.n_features, row_.data());
        return nearest(row_.data(), task_.centers, candidates_, distances_);
    }

  private:
    const Task& task_;
    std::vector<double> row_;
    std::vector<std::size_t> candidates_;
    std::vector<double> distances_;
};

// One thread's work on a block of rows of any type: float32 screening.
class FloatAssigner {
  public:
    FloatAssigner(const Task& task, const Screen& screen, std::size_t n_block)
        : task_(task),
          screen_(screen),
          n_scores_(screen.n_panels() * kPanelWidth),
          block_(n_block * task.rows.n_features, 0.0F),
          squares_(n_block, 0.0F),
          scores_(n_block * n_scores_, 0.0F),
          decide_(task) {}

    std::size_t operator()(std::size_t first, std::size_t count, std::int32_t* labels) {
        const ScreenKernels& kernel = *task_.table.screen;
        const Rows& rows = task_.rows;
        for (std::size_t i = 0; i < count; ++i)
            squares_[i] = kernel.widen[rows.dtype](rows.row(first + i), rows.n_features, screen_.origin(),
                                                   screen_.scale(), block_.data() + i * rows.n_features);
        const std::size_t padded = (count + kernel.row_group - 1) / kernel.row_group * kernel.row_group;
        kernel.products(block_.data(), padded, rows.n_features, screen_.panels(), screen_.n_panels(),
                        scores_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < count; ++i) {
            float* scores = scores_.data() + i * n_scores_;
            const float least = kernel.scores(scores, screen_.norms(), n_scores_);
            const auto label = static_cast<std::int32_t>(
                decide_(first + i, scores, n_scores_, screen_.limit(least, squares_[i])));
            changed += labels[first + i] != label;
            labels[first + i] = label;
        }
        return changed;
    }

  private:
    const Task& task_;
    const Screen& screen_;
    std::size_t n_scores_;
    std::vector<float> block_;
    std::vector<float> squares_;
    std::vector<float> scores_;
    Decider decide_;
};

// One thread's work where no screen is worth its memory: every row meets every centroid in the last stage.
struct NoScreen {};

class PlainAssigner {
  public:
    PlainAssigner(const Task& task, const NoScreen& /*screen*/, std::size_t /*n_block*/) : decide_(task) {}

    std::size_t operator()(std::size_t first, std::size_t count, std::int32_t* labels) {
        std::size_t changed = 0;
        for (std::size_t i = first; i < first + count; ++i) {
            const auto label = static_cast<std::int32_t>(decide_(i, nullptr, 0, kUnscreened));
            changed += labels[i] != label;
            labels[i] = label;
        }
        return changed;
    }

  private:
    Decider decide_;
};

// A screen keeps sixteen centroids, and each thread so many rows, in float32: of rows this long that can be many times the
// data.
constexpr std::size_t kLongRow = std::size_t{1} << 16;

bool screen_outweighs(const Rows& rows, const Centers& centers) {
    const std::size_t n_panels = (centers.n_clusters + kPanelWidth - 1) / kPanelWidth;
    const std::size_t screen_bytes = n_panels * kPanelWidth * rows.n_features * sizeof(float);
    return rows.n_features >= kLongRow && screen_bytes > rows.n_rows * rows.row_bytes();
}

template <class Assigner, class AnyScreen>
std::size_t assign_blocks(const Task& task, const AnyScreen& screen, std::size_t n_block,
                          std::int32_t* labels, const Parallel& parallel) {
    const std::size_t n_rows = task.rows.n_rows;
    std::atomic<std::size_t> changed{0};
    parallel_for((n_rows + n_block - 1) / n_block, parallel, [&] {
        return [&, assigner = Assigner(task, screen, n_block), before = std::vector<std::int32_t>(),
                ledger = task.moves ? &task.moves->open() : nullptr](std::size_t block) mutable {
            const std::size_t first = block * n_block;
            const std::size_t count = std::min(n_block, n_rows - first);
            if (ledger) before.assign(labels + first, labels + first + count);
            changed += assigner(first, count, labels);
            for (std::size_t i = 0; i < before.size(); ++i)
                if (before[i] != labels[first + i]) ledger->add(first + i, before[i], labels[first + i]);
        };
    });
    return changed;
}

}  // namespace

std::size_t assign(const Rows& rows, const Centers& centers, LabelArray labels, const Parallel& parallel,
                   Moves* moves, const WordRange* range) {
    check_finite(centers);
    if (rows.n_features <= kNarrowFeatures)
        return NarrowAssigner(rows, parallel, range).assign(centers, labels, parallel, moves);
    if (pays_densely(rows, centers))
        if (const auto changed = assign_densely(rows, centers, labels.wide(), parallel, moves))
            return *changed;
    const Task task{rows, centers, kernels(), moves};
    if (screen_outweighs(rows, centers))
        return assign_blocks<PlainAssigner>(task, NoScreen{}, 1, labels.wide(), parallel);
    const Screen screen(centers, rows.dtype);
    const std::size_t words = rows.n_features + screen.n_panels() * kPanelWidth;
    return assign_blocks<FloatAssigner>(task, screen, block_rows(words, task.table.screen->row_group),
                                        labels.wide(), parallel);
}

}  // namespace kmosaic
