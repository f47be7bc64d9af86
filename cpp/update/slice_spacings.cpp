#include "update/slice_spacings.hpp"

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

struct RemainderWorker {
    const Rows& rows;
    const Slices& slices;
    std::uint64_t* whole;
    std::uint64_t own[kMaxSlices] = {};

    void look(std::size_t first, std::size_t last) {
        for (std::size_t i = first; i < last && own[slices.n_slices - 1] == 0; ++i)
            kernels().sums->slice_remainders[rows.dtype - kFloat32](rows.row(i), rows.n_features, slices,
                                                                    own);
    }
    void merge() {
        for (std::size_t l = 0; l < slices.n_slices; ++l) whole[l] |= own[l];
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

std::vector<double> possible_spacings(std::size_t n_rows, const std::vector<double>& origin,
                                      const ValueRange& range) {
    constexpr int kMinExponent =
        -1000;  // 3/2 2^52 times a grid, and the grid, are normal doubles within these
    constexpr int kGreatestExponent = 950;
    const int bits = std::min(50, 62 - static_cast<int>(std::bit_width(n_rows)));
    const int exponent = exponent_of(range, origin);
    if (exponent > kGreatestExponent || bits < 1) return {};
    std::vector<double> spacings;
    for (int l = 1; l <= static_cast<int>(kMaxSlices) && exponent - l * bits >= kMinExponent; ++l)
        spacings.push_back(std::ldexp(1.0, exponent - l * bits));
    return spacings;
}

std::size_t slices_needed(const Rows& rows, const std::vector<double>& origin,
                          const std::vector<double>& spacings, const Parallel& parallel) {
    if (spacings.empty()) return 1;
    const Slices slices{origin.data(), spacings.data(), spacings.size()};
    std::uint64_t remainders[kMaxSlices] = {};
    scan(rows, parallel, [&] { return RemainderWorker{rows, slices, remainders}; });
    const std::uint64_t* first = remainders;
    return static_cast<std::size_t>(std::find(first, first + spacings.size(), 0U) - first) + 1;
}

std::vector<double> slice_spacings(const Rows& rows, const std::vector<double>& origin,
                                   const ValueRange& range, const Parallel& parallel) {
    std::vector<double> spacings = possible_spacings(rows.n_rows, origin, range);
    const std::size_t needed = slices_needed(rows, origin, spacings, parallel);
    spacings.resize(needed <= spacings.size() ? needed : 0);
    return spacings;
}

}  // namespace kmosaic
