#include "exact/exact_nearest.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/dispatch.hpp"
#include "kernels/double_double.hpp"

namespace kmosaic {

namespace {

// The power of two that brings the largest difference near 1: no square can overflow or vanish. 0 where a difference is not
// finite.
double scale_of(const double* row, const Centers& centers, const std::vector<std::size_t>& candidates) {
    double largest = 0;
    for (const std::size_t j : candidates)
        for (std::size_t f = 0; f < centers.n_features; ++f) {
            const double difference = std::fabs(row[f] - centers.row(j)[f]);
            if (!std::isfinite(difference)) return 0;
            largest = std::max(largest, difference);
        }
    return largest > 0 ? std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1000, 1000)) : 1.0;
}

// a - b exactly, times the scale.
DoubleDouble scaled_difference(double a, double b, double scale) {
    const DoubleDouble difference = two_sum(a, -b);
    return {difference.high * scale, difference.low * scale};
}

DoubleDouble squared_distance(const double* a, const double* b, std::size_t n, double scale) {
    DoubleDouble sum;
    for (std::size_t f = 0; f < n; ++f) {
        const DoubleDouble difference = scaled_difference(a[f], b[f], scale);
        sum = sum + difference * difference;
    }
    return sum;
}

// A sum without rounding: components that do not overlap, smallest first. Shewchuk (1997), "Adaptive precision
// floating-point arithmetic and fast robust geometric predicates", Discrete Comput. Geom. 18, figure 6, without zeros.
class ExactSum {
  public:
    void add(double value) {
        if (value == 0) return;
        std::size_t kept = 0;
        for (const double component : components_) {
            const DoubleDouble sum = two_sum(value, component);
            value = sum.high;
            if (sum.low != 0) components_[kept++] = sum.low;
        }
        components_.resize(kept);
        if (value != 0) components_.push_back(value);
    }

    [[nodiscard]] double sign() const { return components_.empty() ? 0 : components_.back(); }

  private:
    std::vector<double> components_;
};

// Whether the row is nearer to `b` than to `a`: |x-b|^2 - |x-a|^2 = sum ((x-b) - (x-a)) ((x-b) + (x-a)), each of the four
// differences two doubles, so each term sixteen exact products' sum.
bool nearer(const double* row, const double* b, const double* a, std::size_t n, double scale) {
    ExactSum sum;
    for (std::size_t f = 0; f < n; ++f) {
        if (a[f] == b[f]) continue;
        const DoubleDouble to_a = scaled_difference(row[f], a[f], scale);
        const DoubleDouble to_b = scaled_difference(row[f], b[f], scale);
        for (const double factor : {to_b.high, to_b.low, -to_a.high, -to_a.low}) {
            for (const double other : {to_b.high, to_b.low, to_a.high, to_a.low}) {
                const DoubleDouble product = two_product(factor, other);
                sum.add(product.high);
                sum.add(product.low);
            }
        }
    }
    return sum.sign() < 0;
}

std::size_t nearest_in_extended_precision(const double* row, const Centers& centers,
                                          const std::vector<std::size_t>& candidates) {
    const std::size_t d = centers.n_features;
    const double uncertain = 32.0 * static_cast<double>(d + 1) * 0x1p-106;
    const double scale = scale_of(row, centers, candidates);
    if (scale == 0) return candidates[0];
    std::vector<DoubleDouble> distances;
    for (const std::size_t j : candidates)
        distances.push_back(squared_distance(row, centers.row(j), d, scale));
    DoubleDouble least = distances[0];
    for (const DoubleDouble& distance : distances)
        if ((distance - least).high < 0) least = distance;
    std::size_t best = centers.n_clusters;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if ((distances[i] - least).high > uncertain * least.high) continue;
        if (best == centers.n_clusters ||
            nearer(row, centers.row(candidates[i]), centers.row(best), d, scale))
            best = candidates[i];
    }
    return best == centers.n_clusters ? candidates[0] : best;
}

}  // namespace

std::size_t nearest(const double* row, const Centers& centers, std::vector<std::size_t>& candidates,
                    std::vector<double>& distances) {
    const auto d = static_cast<double>(centers.n_features);
    const double relative = (d / 16 + 8) * 0x1p-53;
    if (candidates.empty()) {
        candidates.resize(centers.n_clusters);
        std::iota(candidates.begin(), candidates.end(), std::size_t{0});
    }
    distances.clear();
    for (const std::size_t j : candidates)
        distances.push_back(kernels().exact->squared_distance(row, centers.row(j), centers.n_features));
    const double least = *std::min_element(distances.begin(), distances.end());
    const double limit = std::max(least * (1 + 3 * relative), kUnderflow);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i)
        if (distances[i] <= limit) candidates[kept++] = candidates[i];
    candidates.resize(std::max<std::size_t>(kept, 1));
    return candidates.size() == 1 ? candidates[0] : nearest_in_extended_precision(row, centers, candidates);
}

}  // namespace kmosaic
