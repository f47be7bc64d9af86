// The assignment step: every row to its nearest centroid.
#pragma once

#include <cstdint>

#include "kmeans/moves.hpp"
#include "kmeans/narrow_assigner.hpp"
#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// Writes labels[i], the index of the centroid nearest to row i (ties: the lowest), and returns how many
// changed. Each change is told to `moves`, where there are any. Labels of a byte are for rows of at most kNarrowFeatures.
// `range`: see NarrowAssigner.
std::size_t assign(const Rows& rows, const Centers& centers, LabelArray labels, const Parallel& parallel,
                   Moves* moves = nullptr, const WordRange* range = nullptr);

}  // namespace kmosaic
