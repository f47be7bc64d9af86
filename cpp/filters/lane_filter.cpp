#include "filters/lane_filter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/numerics.hpp"
#include "core/panels.hpp"
#include "exact/duplicate_centers.hpp"
#include "filters/center_origin.hpp"

namespace kmosaic {

namespace {

constexpr double kUnderflowError = 1e-30;  // far above all that float32 loses to underflow (L5)
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

LaneFilter::LaneFilter(const Centers& centers, Dtype dtype)
    : origin_(filter_origin(centers, dtype)),
      view_{
          centers.n_features, ceil_div(centers.n_clusters, kLaneGroup), nullptr, 1, nullptr, nullptr, 0, 0} {
    coefficients_.assign(view_.n_groups * kLaneGroup * centers.n_features, 0.0F);
    norms_.assign(view_.n_groups * kLaneGroup, kInfinity);
    if (!is_integer(dtype)) set_scale(centers, dtype);
    set_coefficients(centers);
    for (const std::size_t copy : duplicate_centers(centers)) {
        norms_[copy] = kInfinity;
        has_duplicates_ = true;
    }
    view_.origin = origin_.data();
    view_.coefficients = coefficients_.data();
    view_.norms = norms_.data();
}

// The power of two that keeps real rows within the range of float32, in which rows but float64 are scaled.
void LaneFilter::set_scale(const Centers& centers, Dtype dtype) {
    const double largest = largest_offset(centers, origin_);
    if (!(largest > 0)) return;
    const int max_exponent = dtype == kFloat64 ? 1000 : 120;
    view_.scale = std::ldexp(1.0, std::clamp(-std::ilogb(largest), -max_exponent, max_exponent));
}

void LaneFilter::set_coefficients(const Centers& centers) {
    const std::size_t d = centers.n_features;
    double largest_square = 0;
    for (std::size_t j = 0; j < centers.n_clusters; ++j) {
        double square = 0;
        for (std::size_t f = 0; f < d; ++f) {
            const double value = (centers.row(j)[f] - origin_[f]) * view_.scale;
            coefficients_[in_panels(j, f, d, kLaneGroup)] = -2 * static_cast<float>(value);
            square += value * value;
        }
        norms_[j] = static_cast<float>(square);
        largest_square = std::max(largest_square, square);
    }
    const auto n = static_cast<double>(d);
    const double additions =
        std::min(n, static_cast<double>(kLaneChunk)) + std::ceil(n / static_cast<double>(kLaneChunk));
    const double g = additions * kU32 / (1 - additions * kU32);
    // L5
    const double second_order = kSecondOrder + 4 * additions * kU32;
    view_.row_factor = static_cast<float>((2 * g + 6 * kU32) * second_order);
    view_.constant = static_cast<float>((4 * g + 10 * kU32 + 4 * n * kU64) * largest_square * second_order +
                                        kUnderflowError);
}

}  // namespace kmosaic
