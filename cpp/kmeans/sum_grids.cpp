#include "kmeans/sum_grids.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <stdexcept>

#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// Rows a task looks at.
constexpr std::size_t kBlock = 4096;

// Values whose last bits are looked at side by side: narrow rows, several at a time.
constexpr std::size_t kBitsWidth = 256;

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

struct BitWorker {
    const Rows& rows;
    const std::vector<double>& origin;  // of several rows, one after the other
    double& whole;
    double own = std::numeric_limits<double>::infinity();

    void look(std::size_t first, std::size_t last) {
        const std::size_t tile = origin.size() / rows.n_features;
        const auto least = kernels().sums->least_bit[rows.dtype - kFloat32];
        for (std::size_t i = first; i < last; i += tile)
            own =
                std::min(own, least(rows.row(i), std::min(tile, last - i) * rows.n_features, origin.data()));
    }
    void merge() { whole = std::min(whole, own); }
};

// What the least last bit of a value x - origin is worth; infinity where all are 0.
double least_bit(const Rows& rows, const std::vector<double>& origin, const Parallel& parallel) {
    double least = std::numeric_limits<double>::infinity();
    std::vector<double> origins;
    while (origins.size() < kBitsWidth) origins.insert(origins.end(), origin.begin(), origin.end());
    scan(rows, parallel, [&] { return BitWorker{rows, origins, least}; });
    return least;
}

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

namespace {

// Each grid is of so many bits more than the next, so that n_terms terms add up to no more than 2^62 of them. The last is
// worth float64's least bit.
std::vector<double> grids_below(int exponent, std::size_t n_terms) {
    constexpr int kGreatestExponent = 950;  // 3/2 2^52 times a grid is finite
    constexpr int kLeastExponent = -1074;
    const int bits = std::min(50, 62 - static_cast<int>(std::bit_width(n_terms)));
    if (exponent > kGreatestExponent || bits < 1)
        throw std::invalid_argument("values are too large, or rows too many, to be summed exactly");
    std::vector<double> grids;
    for (int at = exponent; grids.empty() || at > kLeastExponent;) {
        at = std::max(at - bits, kLeastExponent);
        grids.push_back(std::ldexp(1.0, at));
    }
    if (grids.size() > kMostLimbs)
        throw std::invalid_argument("there are too many rows to be summed exactly");
    return grids;
}

std::size_t n_above(const std::vector<double>& grids, double least) {
    const auto fine = [&](double grid) { return grid <= least; };
    const auto found = std::find_if(grids.begin(), grids.end(), fine);
    return static_cast<std::size_t>(found - grids.begin()) + 1;
}

// As few of the grids as leave no rest of multiples of `least`.
std::vector<double> needed_grids(int exponent, std::size_t n_terms, double least) {
    std::vector<double> grids = grids_below(exponent, n_terms);
    grids.resize(std::min(n_above(grids, least), grids.size()));
    return grids;
}

// The weights as rows of one feature.
Rows weights_of(const Rows& rows) {
    return {rows.weights, kFloat64, rows.n_rows, 1, nullptr};
}

}  // namespace

std::vector<double> possible_grids(std::size_t n_rows, const std::vector<double>& origin,
                                   const ValueRange& range) {
    return grids_below(exponent_of(range, origin), n_rows);
}

std::size_t limbs_needed(const Rows& rows, const std::vector<double>& origin,
                         const std::vector<double>& grids, const Parallel& parallel) {
    return n_above(grids, least_bit(rows, origin, parallel));
}

std::vector<double> sum_grids(const Rows& rows, const std::vector<double>& origin, const ValueRange& range,
                              const Parallel& parallel) {
    return needed_grids(exponent_of(range, origin), rows.n_rows, least_bit(rows, origin, parallel));
}

WeightedGrids weighted_grids(const Rows& rows, const std::vector<double>& origin, const ValueRange& range,
                             const Parallel& parallel) {
    const Rows weights = weights_of(rows);
    const std::vector<double> zero{0.0};
    double largest = 0;
    for (std::size_t i = 0; i < rows.n_rows; ++i) largest = std::max(largest, rows.weights[i]);
    const int weight_exponent = exponent_of({zero, {largest}}, zero);
    const double weight_bit = least_bit(weights, zero, parallel);
    const int value_exponent = rows.integer() ? (rows.dtype == kUint8 ? 8 : 16) : exponent_of(range, origin);
    const double value_bit = rows.integer() ? 1.0 : least_bit(rows, origin, parallel);
    WeightedGrids grids{{}, needed_grids(weight_exponent, rows.n_rows, weight_bit)};
    const double product_bit = weight_bit * value_bit;
    if (product_bit > 0)  // two halves a product: twice as many terms as rows
        grids.sums = needed_grids(weight_exponent + value_exponent, 2 * rows.n_rows, product_bit);
    return grids;
}

}  // namespace kmosaic
