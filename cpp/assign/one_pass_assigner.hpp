// The assignment step of rows that are assigned once, as in predict: every row's bytes are multiplied with
// every centroid's int8 codes, and centroids whose intervals (quantized_centers.hpp) overlap are refined. PCA
// codes and bounds would cost more than they save. Rows of other types than uint8 are quantised some
// thousands at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

// Whether there are so many rows and centroids that this is faster than the float32 filter.
bool one_pass_pays(const Rows& rows, const Centers& centers);

// As assign(). Does nothing if the errors of the first rows' codes are too large.
std::optional<std::size_t> assign_in_one_pass(const Rows& rows, const Centers& centers, std::int32_t* labels,
                                              const Parallel& parallel, LabelChanges* changes);

}  // namespace kmosaic
