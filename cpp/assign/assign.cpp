#include "assign/assign.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "assign/low_dim_assigner.hpp"
#include "assign/one_pass_assigner.hpp"
#include "exact/exact_nearest.hpp"
#include "filters/float32_filter.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr float kUnfiltered = std::numeric_limits<float>::infinity();

// A block's rows and scores, 4 bytes each, should stay within a core's L2 cache.
constexpr std::size_t kBlockWords = 1 << 16;

std::size_t block_rows(std::size_t values_per_row, std::size_t row_group) {
    const std::size_t fitting = std::clamp<std::size_t>(kBlockWords / values_per_row, 16, 1024);
    return (fitting + row_group - 1) / row_group * row_group;
}

// What is assigned, to what, by which kernels. One table throughout: another thread may select another.
struct Task {
    const Rows& rows;
    const Centers& centers;
    const Kernels& table;
    LabelChanges* changes;
};

// One thread's last stage: the exact nearest of the centroids that a screen has left.
class ExactNearest {
  public:
    explicit ExactNearest(const Task& task) : task_(task), row_(task.rows.n_features, 0.0) {}

    // `scores` are lower bounds, and no centroid whose bound is above `limit` can be the nearest.
    std::size_t operator()(std::size_t row, const float* scores, std::size_t n_scores, float limit) {
        std::size_t last = 0;
        const bool filtered = limit < kUnfiltered;
        if (filtered && task_.table.float32->count(scores, n_scores, limit, &last) == 1) return last;
        candidates_.clear();
        for (std::size_t j = 0; j < task_.centers.n_clusters; ++j)
            if (!filtered || scores[j] <= limit) candidates_.push_back(j);
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
    FloatAssigner(const Task& task, const Float32Filter& float32, std::size_t n_block)
        : task_(task),
          filter_(float32),
          n_scores_(float32.n_panels() * kPanelWidth),
          block_(n_block * task.rows.n_features, 0.0F),
          squares_(n_block, 0.0F),
          scores_(n_block * n_scores_, 0.0F),
          exact_nearest_(task) {}

    std::size_t operator()(std::size_t first, std::size_t count, std::int32_t* labels) {
        const Float32Kernels& kernel = *task_.table.float32;
        const Rows& rows = task_.rows;
        for (std::size_t i = 0; i < count; ++i)
            squares_[i] = kernel.widen[rows.dtype](rows.row(first + i), rows.n_features, filter_.origin(),
                                                   filter_.scale(), block_.data() + i * rows.n_features);
        const std::size_t padded = (count + kernel.row_group - 1) / kernel.row_group * kernel.row_group;
        kernel.products(block_.data(), padded, rows.n_features, filter_.panels(), filter_.n_panels(),
                        scores_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < count; ++i) {
            float* scores = scores_.data() + i * n_scores_;
            const float least = kernel.scores(scores, filter_.norms(), n_scores_);
            const auto label = static_cast<std::int32_t>(
                exact_nearest_(first + i, scores, n_scores_, filter_.limit(least, squares_[i])));
            changed += labels[first + i] != label;
            labels[first + i] = label;
        }
        return changed;
    }

  private:
    const Task& task_;
    const Float32Filter& filter_;
    std::size_t n_scores_;
    std::vector<float> block_;
    std::vector<float> squares_;
    std::vector<float> scores_;
    ExactNearest exact_nearest_;
};

template <class Assigner, class AnyFilter>
std::size_t assign_blocks(const Task& task, const AnyFilter& float32, std::size_t n_block,
                          std::int32_t* labels, const Parallel& parallel) {
    const std::size_t n_rows = task.rows.n_rows;
    std::atomic<std::size_t> changed{0};
    parallel_for((n_rows + n_block - 1) / n_block, parallel, [&] {
        return [&, assigner = Assigner(task, float32, n_block), before = std::vector<std::int32_t>(),
                log = task.changes ? &task.changes->open_log() : nullptr](std::size_t block) mutable {
            const std::size_t first = block * n_block;
            const std::size_t count = std::min(n_block, n_rows - first);
            if (log) before.assign(labels + first, labels + first + count);
            changed += assigner(first, count, labels);
            for (std::size_t i = 0; i < before.size(); ++i)
                if (before[i] != labels[first + i]) log->add(first + i, before[i], labels[first + i]);
        };
    });
    return changed;
}

}  // namespace

std::size_t assign(const Rows& rows, const Centers& centers, LabelArray labels, const Parallel& parallel,
                   LabelChanges* changes, const Int16Range* range) {
    check_finite(centers);
    if (rows.n_features <= kLowDimFeatures)
        return LowDimAssigner(rows, parallel, range).assign(centers, labels, parallel, changes);
    if (one_pass_pays(rows, centers))
        if (const auto changed = assign_in_one_pass(rows, centers, labels.wide(), parallel, changes))
            return *changed;
    const Task task{rows, centers, kernels(), changes};
    const Float32Filter float32(centers, rows.dtype);
    const std::size_t int16 = rows.n_features + float32.n_panels() * kPanelWidth;
    return assign_blocks<FloatAssigner>(task, float32, block_rows(int16, task.table.float32->row_group),
                                        labels.wide(), parallel);
}

}  // namespace kmosaic
