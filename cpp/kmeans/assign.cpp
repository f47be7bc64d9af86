#include "kmeans/assign.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "kernels/dispatch.hpp"
#include "kmeans/decide.hpp"
#include "kmeans/screen.hpp"

namespace kmosaic {

namespace {

// A block's rows and scores, in float32, should stay within a core's L2 cache.
constexpr std::size_t kBlockFloats = 1 << 16;

std::size_t block_rows(std::size_t floats_a_row, std::size_t row_group) {
    const std::size_t fitting = std::clamp<std::size_t>(kBlockFloats / floats_a_row, 16, 1024);
    return (fitting + row_group - 1) / row_group * row_group;
}

// One thread's buffers, and the work on a block of rows.
class Assigner {
  public:
    Assigner(const Rows& rows, const Centers& centers, const Screen& screen, const Kernels& table,
             std::size_t n_block)
        : rows_(rows),
          centers_(centers),
          screen_(screen),
          table_(table),
          n_scores_(screen.n_panels() * kPanelWidth),
          block_(n_block * rows.n_features, 0.0F),
          squares_(n_block, 0.0F),
          products_(n_block * n_scores_, 0.0F),
          row_(rows.n_features, 0.0) {}

    std::size_t operator()(std::size_t first, std::size_t count, std::int32_t* labels) {
        const ScreenKernels& kernel = *table_.screen;
        for (std::size_t i = 0; i < count; ++i)
            squares_[i] = kernel.widen[rows_.dtype](rows_.row(first + i), rows_.n_features, screen_.origin(),
                                                    screen_.scale(), block_.data() + i * rows_.n_features);
        const std::size_t padded = (count + kernel.row_group - 1) / kernel.row_group * kernel.row_group;
        kernel.products(block_.data(), padded, rows_.n_features, screen_.panels(), screen_.n_panels(),
                        products_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const auto label = static_cast<std::int32_t>(label_of(first + i, i));
            changed += labels[first + i] != label;
            labels[first + i] = label;
        }
        return changed;
    }

  private:
    std::size_t label_of(std::size_t row, std::size_t i) {
        const ScreenKernels& kernel = *table_.screen;
        float* scores = products_.data() + i * n_scores_;
        const float least = kernel.scores(scores, screen_.norms(), n_scores_);
        const float limit = screen_.limit(least, squares_[i]);
        std::size_t last = 0;
        const std::size_t found = kernel.count(scores, n_scores_, limit, &last);
        if (found == 1 && limit < std::numeric_limits<float>::infinity()) return last;
        return decide(row, scores, limit);
    }

    std::size_t decide(std::size_t row, const float* scores, float limit) {
        candidates_.clear();
        const bool screened = limit < std::numeric_limits<float>::infinity();
        for (std::size_t j = 0; j < centers_.n_clusters; ++j)
            if (!screened || scores[j] <= limit) candidates_.push_back(j);
        table_.exact->widen[rows_.dtype](rows_.row(row), rows_.n_features, row_.data());
        return nearest(row_.data(), centers_, candidates_, distances_);
    }

    const Rows& rows_;
    const Centers& centers_;
    const Screen& screen_;
    const Kernels& table_;
    std::size_t n_scores_;
    std::vector<float> block_;
    std::vector<float> squares_;
    std::vector<float> products_;
    std::vector<double> row_;
    std::vector<std::size_t> candidates_;
    std::vector<double> distances_;
};

}  // namespace

std::size_t assign(const Rows& rows, const Centers& centers, std::int32_t* labels, const Parallel& parallel) {
    const Screen screen(centers, rows.dtype);
    // One table throughout: another thread may select another, and buffers are padded for this one's row
    // group.
    const Kernels& table = kernels();
    const std::size_t n_block =
        block_rows(rows.n_features + screen.n_panels() * kPanelWidth, table.screen->row_group);
    const std::size_t n_blocks = (rows.n_rows + n_block - 1) / n_block;
    std::atomic<std::size_t> changed{0};
    parallel_for(n_blocks, parallel, [&] {
        return [&, assigner = Assigner(rows, centers, screen, table, n_block)](std::size_t block) mutable {
            const std::size_t first = block * n_block;
            changed += assigner(first, std::min(n_block, rows.n_rows - first), labels);
        };
    });
    return changed;
}

}  // namespace kmosaic
