// The assignment step for rows of few features: pixels, bands of a scene.
#pragma once

#include <cstdint>

#include "kmeans/moves.hpp"
#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// On Zen 4 with AVX-512 this was faster than panels of centroids for 16 to 1,000 clusters: 6 to 17 times at 8 features,
// 2.4 to 6 times at 32, uint8 (against integer products) and float32. Wider rows are for screens that keep bounds.
constexpr std::size_t kNarrowFeatures = kMostNarrowFeatures;

// `assign` for rows of at most kNarrowFeatures: writes the nearest centroid of each row (ties: the lowest), tells
// `moves`, where there is one, of the rows whose label changed, and returns how many did, each as often as it counts.
std::size_t assign_narrow(const Rows& rows, const Centers& centers, std::int32_t* labels,
                          const Parallel& parallel, Moves* moves = nullptr);

}  // namespace kmosaic
