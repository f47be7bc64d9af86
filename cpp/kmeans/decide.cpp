#include "kmeans/decide.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.hpp"
#include "kernels/double_double.hpp"

namespace kmosaic {

namespace {

// Below this a float64 sum of squares may have lost its low bits to underflow.
constexpr double kUnderflow = 1e-280;

// The power of two that brings the largest difference near 1: no square can overflow or vanish.
double scale_of(const double* row, const Centers& centers, const std::vector<std::size_t>& candidates) {
    double largest = 0;
    for (const std::size_t j : candidates)
        for (std::size_t f = 0; f < centers.n_features; ++f)
            largest = std::max(largest, std::fabs(row[f] - centers.row(j)[f]));
    return largest > 0 ? std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1000, 1000)) : 1.0;
}

DoubleDouble squared_distance(const double* a, const double* b, std::size_t n, double scale) {
    DoubleDouble sum;
    for (std::size_t f = 0; f < n; ++f) {
        const DoubleDouble difference = two_sum(a[f] * scale, -b[f] * scale);
        sum = sum + difference * difference;
    }
    return sum;
}

std::size_t nearest_exactly(const double* row, const Centers& centers,
                            const std::vector<std::size_t>& candidates) {
    const double tie = 32.0 * static_cast<double>(centers.n_features + 1) * 0x1p-106;
    std::vector<DoubleDouble> distances;
    distances.reserve(candidates.size());
    const double scale = scale_of(row, centers, candidates);
    DoubleDouble least = squared_distance(row, centers.row(candidates[0]), centers.n_features, scale);
    for (const std::size_t j : candidates) {
        distances.push_back(squared_distance(row, centers.row(j), centers.n_features, scale));
        if ((distances.back() - least).high < 0) least = distances.back();
    }
    for (std::size_t i = 0; i < candidates.size(); ++i)
        if ((distances[i] - least).high <= tie * least.high) return candidates[i];
    return candidates[0];
}

}  // namespace

std::size_t nearest(const double* row, const Centers& centers, std::vector<std::size_t>& candidates,
                    std::vector<double>& distances) {
    const auto d = static_cast<double>(centers.n_features);
    const double relative = (d / 16 + 8) * 0x1p-53;
    distances.clear();
    for (const std::size_t j : candidates)
        distances.push_back(kernels().exact->squared_distance(row, centers.row(j), centers.n_features));
    const double least = *std::min_element(distances.begin(), distances.end());
    const double limit = std::max(least * (1 + 3 * relative), kUnderflow);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i)
        if (distances[i] <= limit) candidates[kept++] = candidates[i];
    candidates.resize(std::max<std::size_t>(kept, 1));
    return candidates.size() == 1 ? candidates[0] : nearest_exactly(row, centers, candidates);
}

}  // namespace kmosaic
