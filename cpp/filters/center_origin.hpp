// The origin that the filters subtract from rows and centroids.
#pragma once

#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

// The mean of the centroids.
std::vector<double> mean_center(const Centers& centers);

// An origin near the mean of the centroids, which makes |x - o| and |c - o|, and with them the error bounds,
// small. For integer rows it consists of values that rows can have, so that x - o is exact; for other rows
// than float64, of float32 values, so that x - o is rounded once.
std::vector<double> filter_origin(const Centers& centers, Dtype dtype);

// The largest |c - o| of any value of a centroid.
double largest_offset(const Centers& centers, const std::vector<double>& origin);

}  // namespace kmosaic
