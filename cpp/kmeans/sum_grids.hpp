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

// The grids that sums over no more than n_rows rows of this range can have, the coarsest first and the last of float64's
// least bit; as many leading ones are to be used as limbs_needed says. Throws std::invalid_argument for values or numbers of
// rows beyond what int64 and float64 can hold.
std::vector<double> possible_grids(std::size_t n_rows, const std::vector<double>& origin,
                                   const ValueRange& range);

// How many of these grids leave no rest of any value of the rows.
std::size_t limbs_needed(const Rows& rows, const std::vector<double>& origin,
                         const std::vector<double>& grids, const Parallel& parallel);

// As few grids as do, for sums over no more than these rows.
std::vector<double> sum_grids(const Rows& rows, const std::vector<double>& origin, const ValueRange& range,
                              const Parallel& parallel);

// The grids of weighted sums, and of sums of the weights themselves. `range` is not looked at for integer rows. `sums` is
// empty where a product may have bits below float64's least: rows times a power of two may do.
struct WeightedGrids {
    std::vector<double> sums;
    std::vector<double> weights;
};

WeightedGrids weighted_grids(const Rows& rows, const std::vector<double>& origin, const ValueRange& range,
                             const Parallel& parallel);

}  // namespace kmosaic
