// The assignment step in which a row meets only the centroids near its last one: for rows that lie in few dimensions,
// whatever the number of their features.
//
// Rows whose bound has expired are grouped by label, and those of one label meet the same centroids: those within
// twice the distance of the farthest row (NearCenters). Rows of a cluster are taken from the farthest on.
#pragma once

#include <cstdint>
#include <vector>

#include "assign/lane_assigner.hpp"
#include "assign/lane_bounds.hpp"
#include "core/parallel.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

class NearCentersAssigner {
  public:
    NearCentersAssigner(const Rows& rows, const Kernels& table);

    // As LaneAssigner's. Rows whose label is of no centroid meet all centroids.
    std::size_t assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                       LabelChanges* changes);

  private:
    Rows rows_;
    const Kernels& table_;
    LaneBounds bounds_;
    std::vector<std::uint16_t>
        distances_;  // [row] to its centroid when it was last worked on, the upper half of a float
};

// The mean share of the centroids within twice the distance of a sample of the rows from their own.
double near_share(const Rows& rows, const Centers& centers, const LabelArray& labels, std::size_t n_sampled,
                  const Kernels& table);

}  // namespace kmosaic
