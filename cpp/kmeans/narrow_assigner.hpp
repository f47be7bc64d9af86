// The assignment step for rows of few features: pixels, bands of a scene.
#pragma once

#include <cstdint>

#include "kmeans/moves.hpp"
#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

constexpr std::size_t kNarrowFeatures = kMostNarrowFeatures;

// `assign` for rows of at most kNarrowFeatures: writes the nearest centroid of each row (ties: the lowest), tells
// `moves`, where there is one, of the rows whose label changed, and returns how many did.
std::size_t assign_narrow(const Rows& rows, const Centers& centers, std::int32_t* labels, Moves* moves,
                          const Parallel& parallel);

}  // namespace kmosaic
