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

// The grids that sums over no more than n_rows rows of this range can have, the coarsest first; as many leading ones are
// to be used as limbs_needed says.
std::vector<double> possible_grids(std::size_t n_rows, const std::vector<double>& origin,
                                   const ValueRange& range);

// How many of these grids leave no rest of any value of the rows; one more than there are where even all do not.
std::size_t limbs_needed(const Rows& rows, const std::vector<double>& origin,
                         const std::vector<double>& grids, const Parallel& parallel);

// As few grids as do, for sums over no more than these rows; none where even three do not.
std::vector<double> sum_grids(const Rows& rows, const std::vector<double>& origin, const ValueRange& range,
                              const Parallel& parallel);

}  // namespace kmosaic
