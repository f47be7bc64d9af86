// Squared distances in float64, the same bits on every instruction set and for any number of threads: whole
// matrices (transform), and to a row's own centroid (empty clusters).
#pragma once

#include <cstdint>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

// out[i * n_clusters + j] = |row i - centre j|^2.
void squared_distances(const Rows& rows, const Centers& centers, double* out, const Parallel& parallel);

// out[i] = |row i - centre labels[i]|^2.
void own_squared_distances(const Rows& rows, const Centers& centers, const std::int32_t* labels, double* out,
                           const Parallel& parallel);

}  // namespace kmosaic
