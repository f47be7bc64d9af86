// The last word on the nearest of a few centroids: float64 first, then double-double, then exact sums.
//
// Sums of squared differences have no cancellation, so the float64 distance has relative error at most
// (d / 16 + 8) u64 and the double-double one at most 16 (d + 1) u64^2. Centroids whose distances float64 cannot tell
// apart are measured in double-double; those that double-double cannot tell apart are compared without rounding.
// What is equal then is a tie, and a tie goes to the lowest index.
#pragma once

#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

// Below this a float64 sum of squares may have lost its low bits to underflow.
constexpr double kUnderflow = 1e-280;

// `candidates` in ascending order, none of them: every centroid; `row` in float64. `distances` is a buffer. Where a value is NaN or
// a distance infinite, so that nothing is nearest, the first candidate is.
std::size_t nearest(const double* row, const Centers& centers, std::vector<std::size_t>& candidates,
                    std::vector<double>& distances);

}  // namespace kmosaic
