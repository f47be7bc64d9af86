// The assignment step: every row to its nearest centroid.
#pragma once

#include <cstdint>

#include "kmeans/moves.hpp"
#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// Writes labels[i], the index of the centroid nearest to row i (ties: the lowest), and returns how many
// changed.
std::size_t assign(const Rows& rows, const Centers& centers, std::int32_t* labels, Moves* moves,
                   const Parallel& parallel);

}  // namespace kmosaic
