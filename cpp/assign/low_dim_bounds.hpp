// Bounds for rows of few features from one assignment step to the next: two bytes a row say until when it may be left alone.
//
// Let a row be nearest to centroid a, and every other at least `margin` farther from it. Centroids move; let A(t) be the sum,
// over the steps up to t, of how far a moved and the farthest any other did. By the triangle inequality a is the nearest, alone,
// as long as A(t) < A(then) + margin: that sum is the row's deadline, and A a clock that each centroid has. Hamerly (2010),
// "Making k-means even faster", SDM, with one bound in place of his two.
//
// Clocks and deadlines count whole units, rounded such that a row is never left alone for too long. When a clock has gone
// far, all start anew.
#pragma once

#include <cstdint>
#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

class LowDimBounds {
  public:
    static constexpr std::size_t kMaxClusters = UINT16_MAX - 1;

    explicit LowDimBounds(std::size_t n_rows);

    // Brings the clocks to these centroids, at most kMaxClusters. Rows keep deadlines only of the same number of centroids.
    void follow(const Centers& centers);

    // Lists those of the rows from `first`, whose labels these are, that may have another now; returns how many.
    std::size_t expired(std::size_t first, std::size_t count, const std::int32_t* labels,
                        std::uint32_t* list) const;

    // Row has this label, and every other centroid is at least this much farther away.
    void set(std::size_t row, std::int32_t label, float margin) {
        const auto j = static_cast<std::size_t>(label);
        const float expiry = drift_floor_[j] + margin * units_;
        labels_[row] = static_cast<std::uint16_t>(label);
        // No margin is wider than two centroids are apart, and that many units fit; what is not a number does not.
        expiries_[row] = expiry < UINT16_MAX ? static_cast<std::uint16_t>(expiry) : 0;
    }

  private:
    void start(const Centers& centers);
    void advance(const Centers& centers);

    std::vector<std::uint16_t> expiries_;
    std::vector<std::uint16_t> labels_;  // those the deadlines are for; beyond all: none
    std::vector<double> previous_;
    std::vector<double> cumulative_drift_;
    std::vector<std::uint16_t>
        drift_ceil_;                  // clocks in units, from above, and one for rows without a deadline
    std::vector<float> drift_floor_;  // and from below
    float units_ = 0;                 // in a distance of 1, from below
};

}  // namespace kmosaic
