// The assignment step of uint8 rows that are assigned once, as in predict: every row meets every centroid's int8 codes, and
// the few that their intervals (centroid_codes.hpp) cannot tell apart are looked at closer. Sketches and bounds would
// cost more than they spare.
#pragma once

#include <cstdint>

#include "kmeans/moves.hpp"
#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// As assign().
std::size_t assign_densely(const Rows& rows, const Centers& centers, std::int32_t* labels,
                           const Parallel& parallel, Moves* moves);

}  // namespace kmosaic
