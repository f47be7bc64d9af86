// The assignment step of sparse rows, at the cost of the values that are not 0.
//
// A centroid is nearest where |c|^2 - 2 x.c is least. That is computed in float64, and the centroids that its
// rounding leaves in doubt (L24 in docs/developer/proof.md), mostly none, are decided by ExactNearest.
#pragma once

#include <cstdint>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "core/sparse_rows.hpp"

namespace kmosaic {

// Writes each row's nearest centroid (ties: the lowest) into labels; returns how many labels changed.
std::size_t assign(const SparseRows& rows, const Centers& centers, std::int32_t* labels,
                   const Parallel& parallel);

}  // namespace kmosaic
