// Orders points as the leaves of a k-d tree (Bentley 1975), so that near points are close together in the
// order.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic {

// The numbers of n points, values[point][feature], in that order. Every run of kBoxFanOut, kBoxFanOut^2, ...
// points that starts at a multiple of its length is a part of the tree. n is below 2^32.
std::vector<std::uint32_t> kd_order(const float* values, std::size_t n, std::size_t n_features,
                                    const Parallel& parallel);

}  // namespace kmosaic
