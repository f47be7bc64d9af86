// The assignment step of rows that are assigned once, as in predict: every row meets every centroid's int8 codes, and
// the few that their intervals (quantized_centers.hpp) cannot tell apart are looked at closer. Sketches and bounds would
// cost more than they spare. Rows that are no bytes get codes, some thousands of rows at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "assign/plan.hpp"
#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

// As assign(). Records in the plan what the codes of the first rows are worth; nothing is done where the plan drops them.
std::optional<std::size_t> assign_in_one_pass(Plan& plan, const Kernels& table, const Rows& rows,
                                              const Centers& centers, std::int32_t* labels,
                                              const Parallel& parallel, LabelChanges* changes);

}  // namespace kmosaic
