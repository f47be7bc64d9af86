#include "assign/assign.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "assign/assigner.hpp"
#include "exact/exact_nearest.hpp"
#include "filters/float32_filter.hpp"

namespace kmosaic {

namespace {

constexpr float kUnfiltered =
    std::numeric_limits<float>::infinity();  // the limit of a row that is not filtered

// A block's rows and scores, 4 bytes each, should stay within a core's L2 cache.
constexpr std::size_t kBlockValues = 1 << 16;

std::size_t block_rows(std::size_t values_per_row, std::size_t row_group) {
    const std::size_t fitting = std::clamp<std::size_t>(kBlockValues / values_per_row, 16, 1024);
    return (fitting + row_group - 1) / row_group * row_group;
}

// The kernels' table is one throughout: another thread may select another.
struct Task {
    const Rows& rows;
    const Centers& centers;
    const Kernels& table;
    LabelChanges* changes;
};

// One thread's work on a block of rows of any type: the float32 filter.
class FloatAssigner {
  public:
    FloatAssigner(const Task& task, const Float32Filter& float32, std::size_t n_block)
        : task_(task),
          filter_(float32),
          n_scores_(float32.n_panels() * kPanelWidth),
          block_(n_block * task.rows.n_features, 0.0F),
          squares_(n_block, 0.0F),
          scores_(n_block * n_scores_, 0.0F),
          exact_nearest_(task.rows, task.centers, task.table) {}

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
            const std::int32_t label = nearest_within(first + i, scores, filter_.limit(least, squares_[i]));
            changed += labels[first + i] != label;
            labels[first + i] = label;
        }
        return changed;
    }

  private:
    // The nearest centroid, whose score is no more than `limit`.
    std::int32_t nearest_within(std::size_t row, const float* scores, float limit) {
        std::size_t last = 0;
        const bool filtered = limit < kUnfiltered;
        if (filtered && task_.table.float32->count(scores, n_scores_, limit, &last) == 1)
            return static_cast<std::int32_t>(last);
        candidates_.clear();
        for (std::size_t j = 0; j < task_.centers.n_clusters; ++j)
            if (!filtered || scores[j] <= limit) candidates_.push_back(j);
        return exact_nearest_(row, candidates_);
    }

    const Task& task_;
    const Float32Filter& filter_;
    std::size_t n_scores_;
    std::vector<float> block_;
    std::vector<float> squares_;
    std::vector<float> scores_;
    std::vector<std::size_t> candidates_;
    ExactNearest exact_nearest_;
};

std::size_t assign_blocks(const Task& task, const Float32Filter& float32, std::size_t n_block,
                          std::int32_t* labels, const Parallel& parallel) {
    std::atomic<std::size_t> changed{0};
    parallel_blocks(task.rows.n_rows, n_block, parallel, [&] {
        return [&, assigner = FloatAssigner(task, float32, n_block), before = std::vector<std::int32_t>(),
                log = task.changes ? &task.changes->open_log() : nullptr](std::size_t first,
                                                                          std::size_t count) mutable {
            if (log) before.assign(labels + first, labels + first + count);
            changed += assigner(first, count, labels);
            for (std::size_t i = 0; i < before.size(); ++i)
                if (before[i] != labels[first + i]) log->add(first + i, before[i], labels[first + i]);
        };
    });
    return changed;
}

}  // namespace

std::size_t assign_exactly(const Kernels& table, const Rows& rows, const Centers& centers,
                           std::int32_t* labels, const Parallel& parallel, LabelChanges* changes) {
    std::atomic<std::size_t> changed{0};
    parallel_blocks(rows.n_rows, 1, parallel, [&] {
        return
            [&, exact_nearest = ExactNearest(rows, centers, table), candidates = std::vector<std::size_t>(),
             log = changes ? &changes->open_log() : nullptr](std::size_t row, std::size_t) mutable {
                candidates.clear();  // every centroid
                const std::int32_t label = exact_nearest(row, candidates);
                if (label == labels[row]) return;
                ++changed;
                if (log) log->add(row, labels[row], label);
                labels[row] = label;
            };
    });
    return changed;
}

std::size_t assign_in_float32(const Kernels& table, const Rows& rows, const Centers& centers,
                              std::int32_t* labels, const Parallel& parallel, LabelChanges* changes) {
    const Task task{rows, centers, table, changes};
    const Float32Filter float32(centers, rows.dtype);
    const std::size_t values_per_row = rows.n_features + float32.n_panels() * kPanelWidth;
    return assign_blocks(task, float32, block_rows(values_per_row, table.float32->row_group), labels,
                         parallel);
}

std::size_t assign(const Rows& rows, const Centers& centers, LabelArray labels, const Parallel& parallel,
                   LabelChanges* changes, const Int16Range* range) {
    return Assigner(rows, 1, range).assign(centers, labels, parallel, changes);
}

}  // namespace kmosaic
