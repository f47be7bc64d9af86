#include "filters/float32_filter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/numerics.hpp"
#include "core/panels.hpp"
#include "exact/duplicate_centers.hpp"
#include "filters/center_origin.hpp"

namespace kmosaic {

namespace {

// Far above all that float32 loses to underflow, and far below what overflows (L3).
constexpr double kUnderflowError = 1e-30;
constexpr double kMaxError = 1e30;
// More than float64 loses in a squared distance and its multiples (L4).
constexpr double kDistanceUp = 1 + 0x1p-36;
// Far above what underflows in such a distance, less than 2^-1074 a feature.
constexpr double kDistanceUnderflow = 1e-300;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

Float32Filter::Float32Filter(const Centers& centers, Dtype dtype, Duplicates copies)
    : n_features_(centers.n_features),
      n_panels_(ceil_div(centers.n_clusters, kPanelWidth)),
      origin_(filter_origin(centers, dtype)),
      panels_(n_panels_ * kPanelWidth * centers.n_features, 0.0F),
      norms_(n_panels_ * kPanelWidth, kInfinity) {
    if (!is_integer(dtype)) set_scale(centers);
    set_panels(centers);
    if (copies == Duplicates::kKept) return;
    for (const std::size_t copy : duplicate_centers(centers)) norms_[copy] = kInfinity;
}

// The power of two that keeps real rows within the range of float32.
void Float32Filter::set_scale(const Centers& centers) {
    int exponent = 0;
    std::frexp(largest_offset(centers, origin_), &exponent);
    scale_ = std::ldexp(1.0, std::clamp(-exponent, -1000, 1000));
}

void Float32Filter::set_panels(const Centers& centers) {
    double largest_square = 0;
    for (std::size_t j = 0; j < centers.n_clusters; ++j) {
        double square = 0;
        for (std::size_t f = 0; f < n_features_; ++f) {
            const double value = (centers.row(j)[f] - origin_[f]) * scale_;
            panels_[in_panels(j, f, n_features_, kPanelWidth)] = static_cast<float>(value);
            square += value * value;
        }
        norms_[j] = static_cast<float>(square);
        largest_square = std::max(largest_square, square);
    }
    const auto d = static_cast<double>(n_features_);
    const double additions = std::min(d, static_cast<double>(kFeatureChunk)) +
                             std::ceil(d / static_cast<double>(kFeatureChunk)) + 2;
    const double g = additions * kU32 / (1 - additions * kU32);
    // L3
    row_factor_ = (2 * g + 8 * kU32) * std::sqrt(largest_square) * kSecondOrder;
    constant_ = (4 * kU32 + 4 * d * kU64) * largest_square * kSecondOrder;
    square_slack_ = 1 + 2 * (d / kPanelWidth + 2 * kPanelWidth) * kU32;
}

float Float32Filter::limit(float least_score, float row_square) const {
    const double row_norm = std::sqrt(static_cast<double>(row_square) * square_slack_);
    const double error = row_factor_ * row_norm + constant_ + kUnderflowError;
    if (!(error < kMaxError) || !std::isfinite(least_score)) return kInfinity;
    return above(least_score + 2 * error);
}

float Float32Filter::limit_within(double squared_distance, float row_square) const {
    const double squares = (squared_distance + kDistanceUnderflow) * scale_ * scale_ * kDistanceUp;
    const double score = squares - static_cast<double>(row_square) * (2 - square_slack_);
    return std::abs(score) < kMaxError ? limit(above(score), row_square) : kInfinity;
}

}  // namespace kmosaic
