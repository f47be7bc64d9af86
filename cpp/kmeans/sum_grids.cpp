#include "kmeans/sum_grids.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>

#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// Rows a task looks at.
constexpr std::size_t kBlock = 4096;

// Each thread's worker looks at blocks of rows, and after each adds what it saw to the whole, one at a time.
template <class MakeWorker>
void scan(const Rows& rows, const Parallel& parallel, MakeWorker make_worker) {
    std::mutex finishing;
    parallel_for((rows.n_rows + kBlock - 1) / kBlock, parallel, [&] {
        return [&, worker = make_worker()](std::size_t block) mutable {
            worker.look(block * kBlock, std::min((block + 1) * kBlock, rows.n_rows));
            const std::lock_guard lock(finishing);
            worker.merge();
        };
    });
}

struct RangeWorker {
    const Rows& rows;
    ValueRange& whole;
    ValueRange own;

    void look(std::size_t first, std::size_t last) {
        const auto widen = kernels().sums->widen_range[rows.dtype - kFloat32];
        for (std::size_t i = first; i < last; ++i)
            widen(rows.row(i), rows.n_features, own.low.data(), own.high.data());
    }
    void merge() {
        for (std::size_t f = 0; f < rows.n_features; ++f) {
            whole.low[f] = std::min(whole.low[f], own.low[f]);
            whole.high[f] = std::max(whole.high[f], own.high[f]);
        }
    }
};

struct RestWorker {
    const Rows& rows;
    const Limbs& limbs;
    std::uint64_t* whole;
    std::uint64_t own[kMostLimbs] = {};

    void look(std::size_t first, std::size_t last) {
        for (std::size_t i = first; i < last && own[limbs.n_limbs - 1] == 0; ++i)
            kernels().sums->limb_rests[rows.dtype - kFloat32](rows.row(i), rows.n_features, limbs, own);
    }
    void merge() {
        for (std::size_t l = 0; l < limbs.n_limbs; ++l) whole[l] |= own[l];
    }
};

// The least E with every |x - origin| < 2^E; beyond all of float64's where there is none.
int exponent_of(const ValueRange& range, const std::vector<double>& origin) {
    double largest = 0;
    for (std::size_t f = 0; f < origin.size(); ++f)
        largest =
            std::max({largest, std::fabs(range.low[f] - origin[f]), std::fabs(range.high[f] - origin[f])});
    int exponent = 0;
    if (!std::isfinite(largest)) return std::numeric_limits<double>::max_exponent + 1;
    if (largest > 0) std::frexp(largest, &exponent);
    return exponent;
}

}  // namespace

ValueRange range_of_reals(const Rows& rows, const Parallel& parallel) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const std::vector<double> above(rows.n_features, kInfinity);
    const std::vector<double> below(rows.n_features, -kInfinity);
    ValueRange range{above, below};
    scan(rows, parallel, [&] { return RangeWorker{rows, range, {above, below}}; });
    return range;
}

std::vector<double> possible_grids(std::size_t n_rows, const std::vector<double>& origin,
                                   const ValueRange& range) {
    constexpr int kLeastExponent =
        -1000;  // 3/2 2^52 times a grid, and the grid, are normal doubles within these
    constexpr int kGreatestExponent = 950;
    const int bits = std::min(50, 62 - static_cast<int>(std::bit_width(n_rows)));
    const int exponent = exponent_of(range, origin);
    if (exponent > kGreatestExponent || bits < 1) return {};
    std::vector<double> grids;
    for (int l = 1; l <= static_cast<int>(kMostLimbs) && exponent - l * bits >= kLeastExponent; ++l)
        grids.push_back(std::ldexp(1.0, exponent - l * bits));
    return grids;
}

std::size_t limbs_needed(const Rows& rows, const std::vector<double>& origin,
                         const std::vector<double>& grids, const Parallel& parallel) {
    if (grids.empty()) return 1;
    const Limbs limbs{origin.data(), grids.data(), grids.size()};
    std::uint64_t rests[kMostLimbs] = {};
    scan(rows, parallel, [&] { return RestWorker{rows, limbs, rests}; });
    const std::uint64_t* first = rests;
    return static_cast<std::size_t>(std::find(first, first + grids.size(), 0U) - first) + 1;
}

std::vector<double> sum_grids(const Rows& rows, const std::vector<double>& origin, const ValueRange& range,
                              const Parallel& parallel) {
    std::vector<double> grids = possible_grids(rows.n_rows, origin, range);
    const std::size_t needed = limbs_needed(rows, origin, grids, parallel);
    grids.resize(needed <= grids.size() ? needed : 0);
    return grids;
}

}  // namespace kmosaic
