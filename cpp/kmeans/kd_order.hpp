// An order of points in which neighbours stand close together: that of the leaves of a k-d tree. Bentley (1975).
#pragma once

#include <cstdint>
#include <vector>

#include "kmeans/parallel.hpp"

namespace kmosaic {

// The numbers of n points, values[point][feature]. Every run of fan_out, fan_out^2, ... points from a multiple of as many
// on is a part of the tree. n is below 2^32.
std::vector<std::uint32_t> kd_order(const float* values, std::size_t n, std::size_t n_features,
                                    std::size_t fan_out, const Parallel& parallel);

}  // namespace kmosaic
