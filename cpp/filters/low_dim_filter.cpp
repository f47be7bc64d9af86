#include "filters/low_dim_filter.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "exact/duplicate_centers.hpp"

namespace kmosaic {

namespace {

constexpr double kU32 = 0x1p-24;
constexpr double kU64 = 0x1p-53;
constexpr double kSlack = 1.001;
constexpr double kUnderflow = 1e-30;  // far above all that float32 loses below its range
constexpr float kInfinity = std::numeric_limits<float>::infinity();

}  // namespace

LowDimFilter::LowDimFilter(const Centers& centers, Dtype dtype)
    : origin_(centers.n_features, 0.0),
      view_{centers.n_features,
            (centers.n_clusters + kLowDimGroup - 1) / kLowDimGroup,
            nullptr,
            1,
            nullptr,
            nullptr,
            0,
            0} {
    coefficients_.assign(view_.n_groups * kLowDimGroup * centers.n_features, 0.0F);
    norms_.assign(view_.n_groups * kLowDimGroup, kInfinity);
    place_origin(centers, dtype);
    place(centers);
    for (const std::size_t copy : duplicate_centers(centers)) {
        norms_[copy] = kInfinity;
        has_duplicates_ = true;
    }
    view_.origin = origin_.data();
    view_.coefficients = coefficients_.data();
    view_.norms = norms_.data();
}

// The mean of the centroids makes |x - o| and |c - o|, and with them E, small. It is a whole number where rows are (then
// x - o is exact) and a float32 where they are (then x - o is rounded once). The scale keeps real rows within the range
// of float32.
void LowDimFilter::place_origin(const Centers& centers, Dtype dtype) {
    const bool integer = dtype == kUint8 || dtype == kUint16;
    constexpr double kLargest = std::numeric_limits<float>::max();
    double largest = 0;
    for (std::size_t f = 0; f < centers.n_features; ++f) {
        double& origin = origin_[f];
        for (std::size_t j = 0; j < centers.n_clusters; ++j)
            origin += centers.row(j)[f] / static_cast<double>(centers.n_clusters);
        if (integer) origin = std::clamp(std::rint(origin), 0.0, 65535.0);
        if (dtype == kFloat32) origin = static_cast<float>(std::clamp(origin, -kLargest, kLargest));
        for (std::size_t j = 0; j < centers.n_clusters; ++j)
            largest = std::max(largest, std::fabs(centers.row(j)[f] - origin));
    }
    if (integer || !(largest > 0)) return;
    const int most = dtype == kFloat32 ? 120 : 1000;
    view_.scale = std::ldexp(1.0, std::clamp(-std::ilogb(largest), -most, most));
}

void LowDimFilter::place(const Centers& centers) {
    const std::size_t d = centers.n_features;
    double largest_square = 0;
    for (std::size_t j = 0; j < centers.n_clusters; ++j) {
        float* lane = coefficients_.data() + j / kLowDimGroup * d * kLowDimGroup + j % kLowDimGroup;
        double square = 0;
        for (std::size_t f = 0; f < d; ++f) {
            const double value = (centers.row(j)[f] - origin_[f]) * view_.scale;
            lane[f * kLowDimGroup] = -2 * static_cast<float>(value);
            square += value * value;
        }
        norms_[j] = static_cast<float>(square);
        largest_square = std::max(largest_square, square);
    }
    const auto n = static_cast<double>(d);
    const double g = (n + 1) * kU32 / (1 - (n + 1) * kU32);
    view_.row_factor = static_cast<float>((2 * g + 6 * kU32) * kSlack);
    view_.constant =
        static_cast<float>((4 * g + 10 * kU32 + 4 * n * kU64) * largest_square * kSlack + kUnderflow);
}

}  // namespace kmosaic
