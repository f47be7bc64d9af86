#include "assign/lane_bounds.hpp"

#include <algorithm>
#include <cmath>

#include "core/numerics.hpp"
#include "filters/center_origin.hpp"

namespace kmosaic {

namespace {

constexpr std::uint16_t kNoBound = UINT16_MAX;
// Units in the distance from the centroids' mean to the farthest of them, and the drift at which all bounds
// start anew.
constexpr double kUnitsInSpread = 8192;
constexpr double kMaxDrift = 32768;

double distance(const double* a, const double* b, std::size_t n) {
    double square = 0;
    for (std::size_t f = 0; f < n; ++f) square += (a[f] - b[f]) * (a[f] - b[f]);
    return std::sqrt(square);
}

double spread(const Centers& centers) {
    const std::vector<double> mean = mean_center(centers);
    double farthest = 0;
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        farthest = std::max(farthest, distance(centers.row(j), mean.data(), mean.size()));
    return farthest;
}

}  // namespace

LaneBounds::LaneBounds(std::size_t n_rows) : expiries_(n_rows), labels_(n_rows, kNoBound) {}

void LaneBounds::start(const Centers& centers) {
    std::fill(labels_.begin(), labels_.end(), kNoBound);
    cumulative_drift_.assign(centers.n_clusters, 0.0);
    const double units = kUnitsInSpread / spread(centers);
    // With 0 units every row is always expired (L16).
    units_ = units < 1e30 && units > 1e-30 ? static_cast<float>(units * (1 - 0x1p-20)) : 0.0F;
}

void LaneBounds::advance(const Centers& centers) {
    std::vector<double> moved(centers.n_clusters);
    for (std::size_t j = 0; j < moved.size(); ++j)
        moved[j] = distance(centers.row(j), previous_.data() + j * centers.n_features, centers.n_features);
    std::size_t first = 0;
    for (std::size_t j = 1; j < moved.size(); ++j)
        if (moved[j] > moved[first]) first = j;
    double second = 0;
    for (std::size_t j = 0; j < moved.size(); ++j)
        if (j != first) second = std::max(second, moved[j]);
    for (std::size_t j = 0; j < moved.size(); ++j)
        cumulative_drift_[j] =
            (cumulative_drift_[j] + (moved[j] + (j == first ? second : moved[first])) * kUp64) *
            kUp64;  // L16
}

void LaneBounds::follow(const Centers& centers) {
    ++n_steps_;
    if (cumulative_drift_.size() == centers.n_clusters) advance(centers);
    // NaN is not below the limit, and starts anew.
    const double units = static_cast<double>(units_) * (1 + 0x1p-18);  // L16
    const bool near = std::all_of(cumulative_drift_.begin(), cumulative_drift_.end(),
                                  [&](double drift) { return drift * units < kMaxDrift; });
    if (cumulative_drift_.size() != centers.n_clusters || !near) start(centers);
    previous_.assign(centers.data, centers.data + centers.n_clusters * centers.n_features);
    drift_ceil_.clear();
    drift_floor_.clear();
    for (const double drift : cumulative_drift_) {
        drift_ceil_.push_back(static_cast<std::uint16_t>(drift * units) + 1);
        drift_floor_.push_back(std::floor(static_cast<float>(drift) * units_ * (1 - 0x1p-20F)));  // L16
    }
    drift_ceil_.push_back(UINT16_MAX);  // for rows without a bound
}

std::size_t LaneBounds::expired(std::size_t first, std::size_t count, const std::int32_t* labels,
                                std::uint32_t* list) const {
    const std::size_t k = cumulative_drift_.size();
    std::size_t n = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint16_t label = labels_[first + i];
        const bool same = static_cast<std::uint32_t>(labels[i]) == label;
        const std::uint16_t now = drift_ceil_[same && label < k ? label : k];
        list[n] = static_cast<std::uint32_t>(i);
        n += !(now < expiries_[first + i]);
    }
    return n;
}

}  // namespace kmosaic
