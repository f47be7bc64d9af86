#include "filters/center_origin.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kmosaic {

std::vector<double> mean_center(const Centers& centers) {
    std::vector<double> mean(centers.n_features, 0.0);
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        for (std::size_t f = 0; f < mean.size(); ++f)
            mean[f] += centers.row(j)[f] / static_cast<double>(centers.n_clusters);
    return mean;
}

std::vector<double> filter_origin(const Centers& centers, Dtype dtype) {
    constexpr double kLargestFloat32 = std::numeric_limits<float>::max();
    std::vector<double> origin = mean_center(centers);
    for (double& value : origin) {
        if (is_integer(dtype)) {
            const double least = dtype == kInt8 ? INT8_MIN : dtype == kInt16 ? INT16_MIN : 0;
            const double most = size_of(dtype) == 1 ? UINT8_MAX : UINT16_MAX;
            value = std::clamp(std::rint(value), least, least + most);
        } else if (dtype != kFloat64) {
            value = static_cast<float>(std::clamp(value, -kLargestFloat32, kLargestFloat32));
        }
    }
    return origin;
}

double largest_offset(const Centers& centers, const std::vector<double>& origin) {
    double largest = 0;
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        for (std::size_t f = 0; f < centers.n_features; ++f)
            largest = std::max(largest, std::fabs(centers.row(j)[f] - origin[f]));
    return largest;
}

}  // namespace kmosaic
