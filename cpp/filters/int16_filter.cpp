#include "filters/int16_filter.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>

#include "exact/duplicate_centers.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kRangeBlock = std::size_t{1} << 16;
constexpr double kLargestInt16 = 32000;
constexpr int kLargestScoreBits = 28;
constexpr int kMaxScale = 14;

// The largest scale that keeps words and scores within their bits.
int scale_for(double largest_value, double largest_score) {
    int scale = kMaxScale;
    if (largest_value > 0) scale = std::min(scale, kMaxScale - std::ilogb(largest_value));
    if (largest_score > 0) scale = std::min(scale, kLargestScoreBits - std::ilogb(largest_score));
    return std::ldexp(largest_value, scale) > kLargestInt16 ? scale - 1 : scale;
}

// Whole numbers near the mean of the centroids make X and C small. They are values that rows may have, so that both are words.
std::vector<double> origin_of(const Centers& centers, Dtype dtype) {
    const double largest = dtype == kUint8 ? UINT8_MAX : UINT16_MAX;
    std::vector<double> origin(centers.n_features, 0.0);
    for (std::size_t f = 0; f < origin.size(); ++f) {
        for (std::size_t j = 0; j < centers.n_clusters; ++j)
            origin[f] += centers.row(j)[f] / static_cast<double>(centers.n_clusters);
        origin[f] = std::clamp(std::rint(origin[f]), 0.0, largest);
    }
    return origin;
}

// Feature f's half of a pair of words.
std::int32_t half(std::int64_t word, std::size_t f) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(static_cast<std::uint16_t>(word))
                                     << (f % 2 * 16));
}

}  // namespace

Int16Range int16_range(const Rows& rows, const Int16Kernels& kernels, const Parallel& parallel) {
    const std::size_t d = rows.n_features;
    if (rows.dtype == kUint8)
        return {std::vector<std::uint16_t>(d, 0), std::vector<std::uint16_t>(d, UINT8_MAX)};
    Int16Range range{std::vector<std::uint16_t>(d, UINT16_MAX), std::vector<std::uint16_t>(d, 0)};
    std::mutex lock;
    parallel_for((rows.n_rows + kRangeBlock - 1) / kRangeBlock, parallel, [&] {
        return [&](std::size_t block) {
            const std::size_t first = block * kRangeBlock;
            Int16Range own{std::vector<std::uint16_t>(d, UINT16_MAX), std::vector<std::uint16_t>(d, 0)};
            kernels.range(static_cast<const std::uint16_t*>(rows.row(first)),
                          std::min(kRangeBlock, rows.n_rows - first), d, own.low.data(), own.high.data());
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
    constexpr double kFarthest = 1e100;
    return std::all_of(centers.data, centers.data + centers.n_clusters * centers.n_features,
                       [](double value) { return std::fabs(value) < kFarthest; });
}

Int16Filter::Int16Filter(const Centers& centers, Dtype dtype, const Int16Range& range)
    : view_{centers.n_features, centers.n_clusters, nullptr, nullptr, nullptr, nullptr, 0, 0} {
    const std::size_t n_pairs = (centers.n_features + 1) / 2;
    coefficients_.assign(centers.n_clusters * n_pairs, 0);
    constants_.assign(centers.n_clusters, kUnusedInt16Constant);
    view_.label_mask = static_cast<std::int32_t>(std::bit_ceil(centers.n_clusters)) - 1;
    place(centers, dtype, range);
    view_.origins = origins_.data();
    view_.present = present_.data();
    view_.coefficients = coefficients_.data();
    view_.constants = constants_.data();
}

void Int16Filter::place(const Centers& centers, Dtype dtype, const Int16Range& range) {
    const std::size_t d = centers.n_features;
    const std::vector<double> origin = origin_of(centers, dtype);
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
    view_.slack = static_cast<std::int32_t>(std::ceil(2 + static_cast<double>(d) + 2e-5 * reach)) +
                  2 * view_.label_mask;

    const std::int64_t taken_away = dtype == kUint16 ? 32768 : 0;
    origins_.assign((d + 1) / 2, 0);
    present_.assign((d + 1) / 2, 0);
    for (std::size_t f = 0; f < d; ++f) {
        origins_[f / 2] |= half(static_cast<std::int64_t>(origin[f]) - taken_away, f);
        present_[f / 2] |= half(1, f);
    }
    const std::vector<std::size_t> copies = duplicate_centers(centers);
    const std::size_t n_pairs = (d + 1) / 2;
    for (std::size_t j = 0; j < centers.n_clusters; ++j) {
        if (std::find(copies.begin(), copies.end(), j) != copies.end()) continue;
        std::int64_t constant = std::llrint(std::ldexp(squares[j], scale - 1));
        for (std::size_t f = 0; f < d; ++f) {
            const std::int64_t word = std::llrint(std::ldexp(centers.row(j)[f] - origin[f], scale));
            constant += (static_cast<std::int64_t>(origin[f]) - taken_away) * word;
            coefficients_[j * n_pairs + f / 2] |= half(-word, f);
        }
        constants_[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(constant));
    }
}

}  // namespace kmosaic
