// The assignment step of rows that are assigned once, as in predict: every row meets every centroid's int8 codes, and
// the few that their intervals (centroid_codes.hpp) cannot tell apart are looked at closer. Sketches and bounds would
// cost more than they spare. Rows that are no bytes get codes, some thousands of rows at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "kmeans/moves.hpp"
#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// Whether rows and centroids are so many that it is quicker than float32.
bool pays_densely(const Rows& rows, const Centers& centers);

// As assign(). Nothing is done where bytes do not tell the first rows apart.
std::optional<std::size_t> assign_densely(const Rows& rows, const Centers& centers, std::int32_t* labels,
                                          const Parallel& parallel, Moves* moves);

}  // namespace kmosaic
