// Bounds in four bytes a row: until when a row keeps its label.
//
// Let centroid a be nearest to a row, and every other one at least `margin` farther away. Let A be the
// cumulative drift of a: the sum over the steps of how far a moved and the farthest that any other centroid
// moved. By the triangle inequality the row keeps its label until A has grown by `margin`; A + margin at that
// time is the row's expiry. Hamerly (2010), "Making k-means even faster", SDM, with one bound in place of his
// two.
//
// Drifts and expiries are stored in whole units, rounded such that no row expires too late: L16 in
// docs/developer/proof.md. Before they overflow, all bounds start anew.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

class LaneBounds {
  public:
    static constexpr std::size_t kMaxClusters = UINT16_MAX - 1;

    explicit LaneBounds(std::size_t n_rows);

    // Adds the drift from the last centroids to these, at most kMaxClusters. A change of their number drops
    // all bounds.
    void follow(const Centers& centers);

    // Lists those of `count` rows from `first` on whose label may have to change: their bound has expired, or
    // is not of the given label. Returns how many.
    std::size_t expired(std::size_t first, std::size_t count, const std::int32_t* labels,
                        std::uint32_t* list) const;

    // The row has this label, and every other centroid is at least `margin` farther away.
    void set(std::size_t row, std::int32_t label, float margin) {
        const auto j = static_cast<std::size_t>(label);
        const float expiry = drift_floor_[j] + margin * units_;
        labels_[row] = static_cast<std::uint16_t>(label);
        // A margin is at most the distance of two centroids, which fits; NaN does not.
        expiries_[row] = expiry < UINT16_MAX ? static_cast<std::uint16_t>(expiry) : 0;
    }

    // How much farther from the row than centroid `label` every other one must be, at least; 0 if the bound
    // has expired or is not of this label.
    [[nodiscard]] double margin_left(std::size_t row, std::int32_t label) const {
        if (labels_[row] != label || labels_[row] >= cumulative_drift_.size()) return 0;
        const int left = expiries_[row] - drift_ceil_[labels_[row]];
        return left > 0 ? left / static_cast<double>(units_) : 0;
    }

    // How many times `follow` has been called.
    [[nodiscard]] std::size_t n_steps() const { return n_steps_; }

  private:
    void start(const Centers& centers);
    void advance(const Centers& centers);

    std::vector<std::uint16_t> expiries_;
    std::vector<std::uint16_t> labels_;     // that the expiries are for; UINT16_MAX: none
    std::vector<double> previous_;          // the last centroids
    std::vector<double> cumulative_drift_;  // [cluster]
    std::vector<std::uint16_t>
        drift_ceil_;                  // [cluster] in units, from above, and one for rows without a bound
    std::vector<float> drift_floor_;  // [cluster] in units, from below
    std::size_t n_steps_ = 0;
    float units_ = 0;  // per distance of 1, from below
};

}  // namespace kmosaic
