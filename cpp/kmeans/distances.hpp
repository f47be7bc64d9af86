// Squared distances in float64, the same bits on every instruction set and for any number of threads: whole
// matrices (transform), to a row's own centroid (empty clusters), and the running minimum of k-means++.
#pragma once

#include <cstdint>

#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// out[i * n_clusters + j] = |row i - centre j|^2.
void squared_distances(const Rows& rows, const Centers& centers, double* out, const Parallel& parallel);

// out[i] = |row i - centre labels[i]|^2.
void own_squared_distances(const Rows& rows, const Centers& centers, const std::int32_t* labels, double* out,
                           const Parallel& parallel);

// nearest[i] = min(nearest[i], |row i - seed|^2) for the one seed given.
void lower_to_seed(const Rows& rows, const Centers& seed, double* nearest, const Parallel& parallel);

// potentials[c] = sum_i w_i min(nearest[i], |row i - candidate c|^2), added in fixed blocks of rows.
void seeding_potentials(const Rows& rows, const Centers& candidates, const double* nearest,
                        double* potentials, const Parallel& parallel);

// A 64-bit hash of each row's values: equal rows hash alike whatever their dtype; -0 equals 0.
void hash_rows(const Rows& rows, std::uint64_t* hashes, const Parallel& parallel);

}  // namespace kmosaic
