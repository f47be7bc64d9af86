// Checks carried bounds against exact distances (L14 and L16 in docs/developer/proof.md), on a sample of
// rows. Builds with KMOSAIC_CHECK_BOUNDS do so after every step; others do not contain this.
#pragma once

#include <string>

#include "assign/bounded_state.hpp"
#include "assign/lane_assigner.hpp"

namespace kmosaic {

// A bound that does not hold for these centroids: the row, the step, the group or neighbour, the bound and
// the distance. Empty if all bounds of the sampled rows hold.
std::string bound_violation(const BoundState& state, const Centers& centers);

// A row whose bound has not expired, though another centroid is nearer than the bound says. Empty if there is
// none.
std::string margin_violation(const LaneBounds& bounds, const Rows& rows, const Centers& centers,
                             const LabelArray& labels);

// Ends the program with this message, unless it is empty.
void abort_on(const std::string& violation);

}  // namespace kmosaic
