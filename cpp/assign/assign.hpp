// The assignment step: every row to its nearest centroid.
#pragma once

#include <cstdint>

#include "assign/lane_assigner.hpp"
#include "assign/plan.hpp"
#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

// Writes labels[i], the index of the centroid nearest to row i (ties: the lowest), and returns how many
// changed. Records each change in `changes`, if given. Labels of a byte are for rows of at most
// kLowDimFeatures. `range`: see LaneAssigner.
std::size_t assign(const Rows& rows, const Centers& centers, LabelArray labels, const Parallel& parallel,
                   LabelChanges* changes = nullptr, const Int16Range* range = nullptr);

// The same, each row decided against every centroid without a filter: it needs no memory but for a row.
std::size_t assign_exactly(const Kernels& table, const Rows& rows, const Centers& centers,
                           std::int32_t* labels, const Parallel& parallel, LabelChanges* changes);

}  // namespace kmosaic
