#include "update/slice_spacings.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <mutex>
#include <stdexcept>

#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// Rows of a task.
constexpr std::size_t kBlock = 4096;

// Values whose last bits are compared side by side: several short rows at a time.
constexpr std::size_t kBitsWidth = 256;

}  // namespace

double least_bit(const Rows& rows, const std::vector<double>& origin, const Parallel& parallel) {
    const auto least_bit_of = kernels().sums->least_bit[rows.dtype - kFirstReal];
    std::vector<double> origins;  // of several rows, one after the other
    while (origins.size() < kBitsWidth) origins.insert(origins.end(), origin.begin(), origin.end());
    const std::size_t tile = origins.size() / rows.n_features;
    double least = std::numeric_limits<double>::infinity();
    std::mutex merging;
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            double own = std::numeric_limits<double>::infinity();
            for (std::size_t i = first; i < first + count; i += tile) {
                const std::size_t n = std::min(tile, first + count - i);
                own = std::min(own, least_bit_of(rows.row(i), n * rows.n_features, origins.data()));
            }
            const std::lock_guard lock(merging);
            least = std::min(least, own);
        };
    });
    return least;
}

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

ValueRange range_of_reals(const Rows& rows, const Parallel& parallel) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const auto widen = kernels().sums->widen_range[rows.dtype - kFirstReal];
    const ValueRange none{std::vector<double>(rows.n_features, kInfinity),
                          std::vector<double>(rows.n_features, -kInfinity)};
    ValueRange range = none;
    std::mutex merging;
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&, own = none](std::size_t first, std::size_t count) mutable {
            for (std::size_t i = first; i < first + count; ++i)
                widen(rows.row(i), rows.n_features, own.low.data(), own.high.data());
            const std::lock_guard lock(merging);
            for (std::size_t f = 0; f < rows.n_features; ++f) {
                range.low[f] = std::min(range.low[f], own.low[f]);
                range.high[f] = std::max(range.high[f], own.high[f]);
            }
        };
    });
    return range;
}

namespace {

// Each spacing is 2^bits times the next, so that the slices of n_terms terms sum to at most 2^62 (L17). The
// last is the least bit of float64.
std::vector<double> spacings_below(int exponent, std::size_t n_terms) {
    constexpr int kMaxExponent = 950;  // 3/2 2^52 times a spacing is finite
    constexpr int kMinExponent = -1074;
    const int bits = std::min(50, 62 - static_cast<int>(std::bit_width(n_terms)));
    if (exponent > kMaxExponent || bits < 1)
        throw std::invalid_argument("values are too large, or rows too many, to be summed exactly");
    std::vector<double> spacings;
    for (int at = exponent; spacings.empty() || at > kMinExponent;) {
        at = std::max(at - bits, kMinExponent);
        spacings.push_back(std::ldexp(1.0, at));
    }
    if (spacings.size() > kMaxSlices)
        throw std::invalid_argument("there are too many rows to be summed exactly");
    return spacings;
}

// The number of spacings above `least`, and one more.
std::size_t n_above(const std::vector<double>& spacings, double least) {
    const auto fine = [&](double spacing) { return spacing <= least; };
    const auto found = std::find_if(spacings.begin(), spacings.end(), fine);
    return static_cast<std::size_t>(found - spacings.begin()) + 1;
}

// The weights as rows of one feature.
Rows weights_of(const Rows& rows) {
    return {rows.weights, kFloat64, rows.n_rows, 1, nullptr};
}

}  // namespace

std::vector<double> needed_spacings(int exponent, std::size_t n_terms, double least) {
    std::vector<double> spacings = spacings_below(exponent, n_terms);
    spacings.resize(std::min(n_above(spacings, least), spacings.size()));
    return spacings;
}

std::vector<double> possible_spacings(std::size_t n_rows, const std::vector<double>& origin,
                                      const ValueRange& range) {
    return spacings_below(exponent_of(range, origin), n_rows);
}

std::size_t slices_needed(const Rows& rows, const std::vector<double>& origin,
                          const std::vector<double>& spacings, const Parallel& parallel) {
    return n_above(spacings, least_bit(rows, origin, parallel));
}

std::vector<double> slice_spacings(const Rows& rows, const std::vector<double>& origin,
                                   const ValueRange& range, const Parallel& parallel) {
    return needed_spacings(exponent_of(range, origin), rows.n_rows, least_bit(rows, origin, parallel));
}

WeightedSpacings weighted_spacings(const Rows& rows, const std::vector<double>& origin,
                                   const ValueRange& range, const Parallel& parallel) {
    const Rows weights = weights_of(rows);
    const std::vector<double> zero{0.0};
    double largest = 0;
    for (std::size_t i = 0; i < rows.n_rows; ++i) largest = std::max(largest, rows.weights[i]);
    const int weight_exponent = exponent_of({zero, {largest}}, zero);
    const double weight_bit = least_bit(weights, zero, parallel);
    const int value_exponent =
        rows.integer() ? 8 * static_cast<int>(size_of(rows.dtype)) : exponent_of(range, origin);
    const double value_bit = rows.integer() ? 1.0 : least_bit(rows, origin, parallel);
    WeightedSpacings spacings{{}, needed_spacings(weight_exponent, rows.n_rows, weight_bit)};
    const double product_bit = weight_bit * value_bit;
    if (product_bit > 0)  // two terms a row (L19)
        spacings.sums = needed_spacings(weight_exponent + value_exponent, 2 * rows.n_rows, product_bit);
    return spacings;
}

}  // namespace kmosaic
