// The grids in whose multiples real rows are summed exactly: see sums.hpp.
#pragma once

#include <vector>

#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// Each feature's least and greatest value.
struct ValueRange {
    std::vector<double> low;
    std::vector<double> high;
};

ValueRange range_of_reals(const Rows& rows, const Parallel& parallel);

// As few grids as do, for sums over no more than these rows; none where even three do not.
std::vector<double> sum_grids(const Rows& rows, const std::vector<double>& origin, const ValueRange& range,
                              const Parallel& parallel);

}  // namespace kmosaic
