#include "filters/float32_filter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "exact/duplicate_centers.hpp"

namespace kmosaic {

namespace {

constexpr double kU32 = 0x1p-24;
constexpr double kU64 = 0x1p-53;
constexpr double kSlack = 1.001;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

Float32Filter::Float32Filter(const Centers& centers, Dtype dtype, Duplicates copies)
    : n_features_(centers.n_features),
      n_panels_((centers.n_clusters + kPanelWidth - 1) / kPanelWidth),
      origin_(centers.n_features, 0.0),
      panels_(n_panels_ * kPanelWidth * centers.n_features, 0.0F),
      norms_(n_panels_ * kPanelWidth, kInfinity) {
    place_origin(centers, dtype == kUint8 || dtype == kUint16);
    place_panels(centers);
    if (copies == Duplicates::kKept) return;
    for (const std::size_t copy : duplicate_centers(centers)) norms_[copy] = kInfinity;
}

// The mean of the centroids makes |x - o| and |c - o|, and with them E, small. Whole numbers keep integer
// rows exact in float32; the scale keeps other rows within its range.
void Float32Filter::place_origin(const Centers& centers, bool integer) {
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        for (std::size_t f = 0; f < n_features_; ++f)
            origin_[f] += centers.row(j)[f] / static_cast<double>(centers.n_clusters);
    double largest = 0;
    for (std::size_t f = 0; f < n_features_; ++f) {
        if (integer) origin_[f] = std::clamp(std::rint(origin_[f]), 0.0, 65535.0);
        for (std::size_t j = 0; j < centers.n_clusters; ++j)
            largest = std::max(largest, std::fabs(centers.row(j)[f] - origin_[f]));
    }
    if (!integer && largest > 0) {
        int exponent = 0;
        std::frexp(largest, &exponent);
        scale_ = std::ldexp(1.0, std::clamp(-exponent, -1000, 1000));
    }
}

void Float32Filter::place_panels(const Centers& centers) {
    double largest_square = 0;
    for (std::size_t j = 0; j < centers.n_clusters; ++j) {
        float* lane = panels_.data() + (j / kPanelWidth) * kPanelWidth * n_features_ + j % kPanelWidth;
        double square = 0;
        for (std::size_t f = 0; f < n_features_; ++f) {
            const double value = (centers.row(j)[f] - origin_[f]) * scale_;
            lane[f * kPanelWidth] = static_cast<float>(value);
            square += value * value;
        }
        norms_[j] = static_cast<float>(square);
        largest_square = std::max(largest_square, square);
    }
    const auto d = static_cast<double>(n_features_);
    const double additions = std::min(d, static_cast<double>(kFeatureChunk)) +
                             std::ceil(d / static_cast<double>(kFeatureChunk)) + 2;
    const double g = additions * kU32 / (1 - additions * kU32);
    row_factor_ = (2 * g + 8 * kU32) * std::sqrt(largest_square) * kSlack;
    constant_ = (4 * kU32 + 4 * d * kU64) * largest_square * kSlack;
    square_slack_ = 1 + 2 * (d / kPanelWidth + 2 * kPanelWidth) * kU32;
}

float Float32Filter::limit(float least_score, float row_square) const {
    const double row_norm = std::sqrt(static_cast<double>(row_square) * square_slack_);
    const double error = row_factor_ * row_norm + constant_ + 1e-30;
    if (!(error < 1e30) || !std::isfinite(least_score)) return kInfinity;
    return std::nextafter(static_cast<float>(least_score + 2 * error), kInfinity);
}

}  // namespace kmosaic
