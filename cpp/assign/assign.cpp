#include "assign/assign.hpp"

#include <algorithm>
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
    return round_up(std::clamp<std::size_t>(kBlockValues / values_per_row, 16, 1024), row_group);
}

// One thread's work on a block of rows of any type: the float32 filter. The kernels' table is one throughout,
// since another thread may select another.
class FloatAssigner {
  public:
    FloatAssigner(const Kernels& table, const Rows& rows, const Centers& centers,
                  const Float32Filter& float32, std::size_t n_block, const LabelWriter& labels)
        : table_(*table.float32),
          rows_(rows),
          filter_(float32),
          n_scores_(float32.n_panels() * kPanelWidth),
          block_(n_block * rows.n_features, 0.0F),
          squares_(n_block, 0.0F),
          scores_(n_block * n_scores_, 0.0F),
          n_clusters_(centers.n_clusters),
          exact_nearest_(rows, centers, table),
          labels_(labels) {}

    std::size_t operator()(std::size_t first, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            squares_[i] = filter_.widen(table_, rows_, first + i, block_.data() + i * rows_.n_features);
        table_.products(block_.data(), round_up(count, table_.row_group), rows_.n_features, filter_.panels(),
                        filter_.n_panels(), scores_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < count; ++i) {
            float* scores = scores_.data() + i * n_scores_;
            const float least = table_.scores(scores, filter_.norms(), n_scores_);
            changed +=
                labels_(first + i, nearest_within(first + i, scores, filter_.limit(least, squares_[i])));
        }
        return changed;
    }

  private:
    // The nearest centroid, whose score is no more than `limit`.
    std::int32_t nearest_within(std::size_t row, const float* scores, float limit) {
        std::size_t last = 0;
        const bool filtered = limit < kUnfiltered;
        if (filtered && table_.count(scores, n_scores_, limit, &last) == 1)
            return static_cast<std::int32_t>(last);
        candidates_.clear();
        for (std::size_t j = 0; j < n_clusters_; ++j)
            if (!filtered || scores[j] <= limit) candidates_.push_back(j);
        return exact_nearest_(row, candidates_);
    }

    const Float32Kernels& table_;
    const Rows& rows_;
    const Float32Filter& filter_;
    std::size_t n_scores_;
    std::vector<float> block_;
    std::vector<float> squares_;
    std::vector<float> scores_;
    std::vector<std::size_t> candidates_;
    std::size_t n_clusters_;
    ExactNearest exact_nearest_;
    LabelWriter labels_;
};

}  // namespace

std::size_t assign_exactly(const Kernels& table, const Rows& rows, const Centers& centers,
                           std::int32_t* labels, const Parallel& parallel, LabelChanges* changes) {
    return count_in_blocks(rows.n_rows, 1, parallel, [&] {
        return [exact_nearest = ExactNearest(rows, centers, table), candidates = std::vector<std::size_t>(),
                write = LabelWriter(labels, changes)](std::size_t row, std::size_t) mutable {
            candidates.clear();  // every centroid
            return std::size_t{write(row, exact_nearest(row, candidates))};
        };
    });
}

std::size_t assign_in_float32(const Kernels& table, const Rows& rows, const Centers& centers,
                              std::int32_t* labels, const Parallel& parallel, LabelChanges* changes) {
    const Float32Filter float32(centers, rows.dtype);
    const std::size_t values_per_row = rows.n_features + float32.n_panels() * kPanelWidth;
    const std::size_t n_block = block_rows(values_per_row, table.float32->row_group);
    return count_in_blocks(rows.n_rows, n_block, parallel, [&] {
        return FloatAssigner(table, rows, centers, float32, n_block, LabelWriter(labels, changes));
    });
}

std::size_t assign(const Rows& rows, const Centers& centers, LabelArray labels, const Parallel& parallel,
                   LabelChanges* changes, const Int16Range* range) {
    return Assigner(rows, 1, range).assign(centers, labels, parallel, changes);
}

}  // namespace kmosaic
