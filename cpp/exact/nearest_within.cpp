#include "exact/nearest_within.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "core/numerics.hpp"
#include "exact/exact_nearest.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 512;

// One thread's work: float64 first, which mostly decides, and else ExactNearest.
class Worker {
  public:
    Worker(const Rows& rows, const Centers& centers)
        : centers_(centers),
          table_(kernels()),
          exact_(rows, centers, table_),
          relative_((static_cast<double>(rows.n_features) / 16 + 8) * kU64) {}  // L15

    std::int32_t operator()(std::size_t row, std::int32_t first, std::int32_t count) {
        if (count == 1) return first;
        const double* wide = exact_.widen(row);
        double least = std::numeric_limits<double>::infinity(), second = least;
        std::int32_t nearest = first;
        for (std::int32_t j = first; j < first + count; ++j) {
            const double* center = centers_.row(static_cast<std::size_t>(j));
            const double distance = table_.exact->squared_distance(wide, center, centers_.n_features);
            if (distance < least) {
                second = least;
                least = distance;
                nearest = j;
            } else {
                second = std::min(second, distance);
            }
        }
        if (second > std::max(least * (1 + 3 * relative_), kUnderflow)) return nearest;  // L15
        candidates_.resize(static_cast<std::size_t>(count));
        std::iota(candidates_.begin(), candidates_.end(), static_cast<std::size_t>(first));
        return exact_(row, candidates_);
    }

  private:
    const Centers& centers_;
    const Kernels& table_;
    ExactNearest exact_;
    double relative_;
    std::vector<std::size_t> candidates_;
};

}  // namespace

std::size_t nearest_within(const Rows& rows, const Centers& centers, const std::int32_t* first,
                           const std::int32_t* count, std::int32_t* labels, const Parallel& parallel) {
    check_finite(centers);
    return count_in_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&, worker = Worker(rows, centers)](std::size_t begin, std::size_t n) mutable {
            std::size_t n_changed = 0;
            for (std::size_t i = begin; i < begin + n; ++i) {
                const std::int32_t label = worker(i, first[i], count[i]);
                n_changed += label != labels[i];
                labels[i] = label;
            }
            return n_changed;
        };
    });
}

void descend(const Rows& rows, const Centers& nodes, const std::int32_t* first, const std::int32_t* count,
             std::int32_t* leaves, const Parallel& parallel) {
    check_finite(nodes);
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&, worker = Worker(rows, nodes)](std::size_t begin, std::size_t n) mutable {
            for (std::size_t i = begin; i < begin + n; ++i) {
                std::int32_t node = 0;
                while (count[node] > 0) node = worker(i, first[node], count[node]);
                leaves[i] = node;
            }
        };
    });
}

}  // namespace kmosaic
