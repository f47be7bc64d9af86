#include "filters/int16_filter.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>

#include "exact/duplicate_centers.hpp"
#include "filters/center_origin.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kRangeBlock = std::size_t{1} << 16;
constexpr double kLargestInt16 = 32000;
constexpr int kLargestScoreBits = 28;
constexpr int kMaxScale = 14;

// The largest exponent of z with |q_f| <= 32000 and |t_j| < 2^29 (L7).
int scale_for(double largest_value, double largest_score) {
    int scale = kMaxScale;
    if (largest_value > 0) scale = std::min(scale, kMaxScale - std::ilogb(largest_value));
    if (largest_score > 0) scale = std::min(scale, kLargestScoreBits - std::ilogb(largest_score));
    return std::ldexp(largest_value, scale) > kLargestInt16 ? scale - 1 : scale;
}

// An int16 value in feature f's half of a pair.
std::int32_t half(std::int64_t value, std::size_t f) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint16_t>(value))
                                     << (f % 2 * 16));
}

}  // namespace

Int16Range int16_range(const Rows& rows, const Int16Kernels& kernels, const Parallel& parallel) {
    const std::size_t d = rows.n_features;
    if (rows.dtype == kUint8)
        return {std::vector<std::uint16_t>(d, 0), std::vector<std::uint16_t>(d, UINT8_MAX)};
    Int16Range range{std::vector<std::uint16_t>(d, UINT16_MAX), std::vector<std::uint16_t>(d, 0)};
    std::mutex lock;
    parallel_blocks(rows.n_rows, kRangeBlock, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            Int16Range own{std::vector<std::uint16_t>(d, UINT16_MAX), std::vector<std::uint16_t>(d, 0)};
            kernels.range(static_cast<const std::uint16_t*>(rows.row(first)), count, d, own.low.data(),
                          own.high.data());
            const std::lock_guard hold(lock);
            for (std::size_t f = 0; f < d; ++f) {
                range.low[f] = std::min(range.low[f], own.low[f]);
                range.high[f] = std::max(range.high[f], own.high[f]);
            }
        };
    });
    return range;
}

bool Int16Filter::possible(const Centers& centers) {
    constexpr double kFarthest = 1e100;  // L7
    return std::all_of(centers.data, centers.data + centers.n_clusters * centers.n_features,
                       [](double value) { return std::fabs(value) < kFarthest; });
}

Int16Filter::Int16Filter(const Centers& centers, Dtype dtype, const Int16Range& range)
    : view_{centers.n_features, centers.n_clusters, nullptr, nullptr, nullptr, nullptr, 0, 0} {
    const std::size_t n_pairs = (centers.n_features + 1) / 2;
    coefficients_.assign(centers.n_clusters * n_pairs, 0);
    constants_.assign(centers.n_clusters, kUnusedInt16Constant);
    view_.label_mask = static_cast<std::int32_t>(std::bit_ceil(centers.n_clusters)) - 1;
    set_coefficients(centers, dtype, range);
    view_.origins = origins_.data();
    view_.present = present_.data();
    view_.coefficients = coefficients_.data();
    view_.constants = constants_.data();
}

void Int16Filter::set_coefficients(const Centers& centers, Dtype dtype, const Int16Range& range) {
    const std::size_t d = centers.n_features;
    const std::vector<double> origin = filter_origin(centers, dtype);
    double reach = 0;
    double reach_square = 0;
    for (std::size_t f = 0; f < d; ++f) {
        const double most = std::max({range.high[f] - origin[f], origin[f] - range.low[f], 0.0});
        reach += most;
        reach_square += most * most;
    }
    double largest_value = 0;
    double largest_score = 0;
    std::vector<double> squares(centers.n_clusters, 0.0);
    for (std::size_t j = 0; j < centers.n_clusters; ++j) {
        for (std::size_t f = 0; f < d; ++f) {
            const double value = centers.row(j)[f] - origin[f];
            largest_value = std::max(largest_value, std::fabs(value));
            squares[j] += value * value;
        }
        largest_score = std::max(largest_score, squares[j] + 2 * std::sqrt(reach_square * squares[j]));
    }
    const int scale = scale_for(largest_value, largest_score);
    // L7
    view_.slack = static_cast<std::int32_t>(std::ceil(2 + static_cast<double>(d) + 2e-5 * reach)) +
                  2 * view_.label_mask;

    // Kernels read uint16 rows less 32768, as int16.
    const std::int64_t subtracted = dtype == kUint16 ? 32768 : 0;
    origins_.assign((d + 1) / 2, 0);
    present_.assign((d + 1) / 2, 0);
    for (std::size_t f = 0; f < d; ++f) {
        origins_[f / 2] |= half(static_cast<std::int64_t>(origin[f]) - subtracted, f);
        present_[f / 2] |= half(1, f);
    }
    const std::vector<std::size_t> copies = duplicate_centers(centers);
    const std::size_t n_pairs = (d + 1) / 2;
    for (std::size_t j = 0; j < centers.n_clusters; ++j) {
        if (std::find(copies.begin(), copies.end(), j) != copies.end()) continue;
        std::int64_t constant = std::llrint(std::ldexp(squares[j], scale - 1));
        for (std::size_t f = 0; f < d; ++f) {
            const std::int64_t q = std::llrint(std::ldexp(centers.row(j)[f] - origin[f], scale));
            constant += (static_cast<std::int64_t>(origin[f]) - subtracted) * q;
            coefficients_[j * n_pairs + f / 2] |= half(-q, f);
        }
        constants_[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(constant));
    }
}

}  // namespace kmosaic
