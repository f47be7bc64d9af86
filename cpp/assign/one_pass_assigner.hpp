// The assignment step of rows that are assigned once, as in predict: every row meets every centroid's int8 codes, and
// the few that their intervals (quantized_centers.hpp) cannot tell apart are looked at closer. Sketches and bounds would
// cost more than they spare. Rows that are no bytes get codes, some thousands of rows at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

// Whether rows and centroids are so many that it is quicker than float32.
bool one_pass_pays(const Rows& rows, const Centers& centers);

// As assign(). Nothing is done where bytes do not tell the first rows apart.
std::optional<std::size_t> assign_in_one_pass(const Rows& rows, const Centers& centers, std::int32_t* labels,
                                              const Parallel& parallel, LabelChanges* changes);

}  // namespace kmosaic
