#include "assign/low_dim_bounds.hpp"

#include <algorithm>
#include <cmath>

namespace kmosaic {

namespace {

constexpr std::uint16_t kNobody = UINT16_MAX;
// Units in the distance from the centroids' mean to the farthest of them; and when clocks start anew.
constexpr double kUnitsInSpread = 8192;
constexpr double kFar = 32768;
// Covers float64's rounding of a distance and of a clock's sum.
constexpr double kMore = 1 + 0x1p-30;

double distance(const double* a, const double* b, std::size_t n) {
    double square = 0;
    for (std::size_t f = 0; f < n; ++f) square += (a[f] - b[f]) * (a[f] - b[f]);
    return std::sqrt(square);
}

double spread(const Centers& centers) {
    std::vector<double> mean(centers.n_features, 0.0);
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        for (std::size_t f = 0; f < mean.size(); ++f)
            mean[f] += centers.row(j)[f] / static_cast<double>(centers.n_clusters);
    double farthest = 0;
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        farthest = std::max(farthest, distance(centers.row(j), mean.data(), mean.size()));
    return farthest;
}

}  // namespace

LowDimBounds::LowDimBounds(std::size_t n_rows) : expiries_(n_rows), labels_(n_rows, kNobody) {}

void LowDimBounds::start(const Centers& centers) {
    std::fill(labels_.begin(), labels_.end(), kNobody);
    cumulative_drift_.assign(centers.n_clusters, 0.0);
    const double units = kUnitsInSpread / spread(centers);
    // Else no deadline is ever after now.
    units_ = units < 1e30 && units > 1e-30 ? static_cast<float>(units * (1 - 0x1p-20)) : 0.0F;
}

void LowDimBounds::advance(const Centers& centers) {
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
            (cumulative_drift_[j] + (moved[j] + (j == first ? second : moved[first])) * kMore) * kMore;
}

void LowDimBounds::follow(const Centers& centers) {
    if (cumulative_drift_.size() == centers.n_clusters) advance(centers);
    // "Not below", so that what is not a number starts anew.
    const double units = static_cast<double>(units_) * (1 + 0x1p-18);
    const bool near = std::all_of(cumulative_drift_.begin(), cumulative_drift_.end(),
                                  [&](double clock) { return clock * units < kFar; });
    if (cumulative_drift_.size() != centers.n_clusters || !near) start(centers);
    previous_.assign(centers.data, centers.data + centers.n_clusters * centers.n_features);
    drift_ceil_.clear();
    drift_floor_.clear();
    for (const double clock : cumulative_drift_) {
        drift_ceil_.push_back(static_cast<std::uint16_t>(clock * units) + 1);
        drift_floor_.push_back(std::floor(static_cast<float>(clock) * units_ * (1 - 0x1p-20F)));
    }
    drift_ceil_.push_back(UINT16_MAX);
}

std::size_t LowDimBounds::expired(std::size_t first, std::size_t count, const std::int32_t* labels,
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
