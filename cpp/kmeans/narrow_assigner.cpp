#include "kmeans/narrow_assigner.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/dispatch.hpp"
#include "kmeans/decide.hpp"
#include "kmeans/narrow_screen.hpp"

namespace kmosaic {

namespace {

// Rows a task labels: a tenth of a millisecond at most of few clusters, half a second of the most.
constexpr std::size_t kBlockRows = 2048;
static_assert(kBlockRows % kNarrowTile == 0);

// Labels are compared with those before in chunks; most chunks of most steps are equal.
constexpr std::size_t kChunk = 16;

// Below this a float64 sum of squares may have lost its low bits to underflow.
constexpr double kUnderflow = 1e-280;

// What is assigned, to what, by which kernels. One table throughout: another thread may select another.
struct Task {
    const Rows& rows;
    const Centers& centers;
    const NarrowScreen& screen;
    const std::vector<double>& panels;
    const Kernels& table;
};

// Centroids in the exact kernels' panels; the last is filled up with infinity, which is nearest to nothing.
std::vector<double> exact_panels(const Centers& centers) {
    const std::size_t d = centers.n_features;
    const std::size_t n_panels = (centers.n_clusters + kExactPanelWidth - 1) / kExactPanelWidth;
    std::vector<double> panels(n_panels * kExactPanelWidth * d, std::numeric_limits<double>::infinity());
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        for (std::size_t f = 0; f < d; ++f)
            panels[(j / kExactPanelWidth * d + f) * kExactPanelWidth + j % kExactPanelWidth] =
                centers.row(j)[f];
    return panels;
}

// One thread's last stage for the few rows a screen cannot decide: all distances in float64, and `nearest` for what
// they cannot tell apart. Features added one by one, their relative error is at most (d + 2) u64.
class Decider {
  public:
    explicit Decider(const Task& task)
        : task_(task), row_(task.rows.n_features), all_(task.panels.size() / task.rows.n_features) {}

    std::int32_t operator()(std::size_t row) {
        const std::size_t d = task_.rows.n_features;
        const ExactKernels& kernel = *task_.table.exact;
        kernel.widen[task_.rows.dtype](task_.rows.row(row), d, row_.data());
        for (std::size_t j = 0; j < all_.size(); j += kExactPanelWidth)
            kernel.squared_distances(row_.data(), 1, d, task_.panels.data() + j * d, all_.data() + j);
        const double least = *std::min_element(
            all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(task_.centers.n_clusters));
        const double limit = std::max(least * (1 + 4 * static_cast<double>(d + 2) * 0x1p-53), kUnderflow);
        candidates_.clear();
        for (std::size_t j = 0; j < task_.centers.n_clusters; ++j)
            if (all_[j] <= limit) candidates_.push_back(j);
        return static_cast<std::int32_t>(candidates_.size() == 1
                                             ? candidates_[0]
                                             : nearest(row_.data(), task_.centers, candidates_, distances_));
    }

  private:
    const Task& task_;
    std::vector<double> row_;
    std::vector<double> all_;
    std::vector<std::size_t> candidates_;
    std::vector<double> distances_;
};

// One thread's work on a block of rows.
class NarrowAssigner {
  public:
    NarrowAssigner(const Task& task, Moves* moves)
        : task_(task),
          ledger_(moves ? &moves->open() : nullptr),
          found_(kBlockRows),
          undecided_(kBlockRows),
          decide_(task) {}

    std::size_t operator()(std::size_t first, std::size_t count, std::int32_t* labels) {
        const Rows& rows = task_.rows;
        const std::size_t n_undecided = task_.table.narrow->nearest[rows.dtype](
            rows.row(first), count, task_.screen.centroids(), found_.data(), undecided_.data());
        for (std::size_t u = 0; u < n_undecided; ++u) found_[undecided_[u]] = decide_(first + undecided_[u]);
        std::size_t changed = 0;
        for (std::size_t start = 0; start < count; start += kChunk) {
            const std::size_t n = std::min(kChunk, count - start);
            if (n == kChunk &&
                std::memcmp(&found_[start], labels + first + start, sizeof(std::int32_t) * kChunk) == 0)
                continue;
            changed += update(first, start, n, labels);
        }
        return changed;
    }

  private:
    std::size_t update(std::size_t first, std::size_t start, std::size_t n, std::int32_t* labels) {
        std::size_t changed = 0;
        for (std::size_t i = start; i < start + n; ++i) {
            std::int32_t& label = labels[first + i];
            if (label == found_[i]) continue;
            if (ledger_) ledger_->add(first + i, label, found_[i]);
            label = found_[i];
            changed += task_.rows.count(first + i);
        }
        return changed;
    }

    const Task& task_;
    Moves::Ledger* ledger_;
    std::vector<std::int32_t> found_;
    std::vector<std::uint32_t> undecided_;
    Decider decide_;
};

}  // namespace

std::size_t assign_narrow(const Rows& rows, const Centers& centers, std::int32_t* labels,
                          const Parallel& parallel, Moves* moves) {
    const NarrowScreen screen(centers, rows.dtype);
    const std::vector<double> panels = exact_panels(centers);
    const Task task{rows, centers, screen, panels, kernels()};
    std::atomic<std::size_t> changed{0};
    parallel_for((rows.n_rows + kBlockRows - 1) / kBlockRows, parallel, [&] {
        return [&, assigner = NarrowAssigner(task, moves)](std::size_t block) mutable {
            const std::size_t first = block * kBlockRows;
            changed += assigner(first, std::min(kBlockRows, rows.n_rows - first), labels);
        };
    });
    return changed;
}

}  // namespace kmosaic
