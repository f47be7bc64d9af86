// The grids in whose multiples real rows are summed exactly: see exact_sums.hpp.
#pragma once

#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

// Each feature's least and greatest value.
struct ValueRange {
    std::vector<double> low;
    std::vector<double> high;
};

ValueRange range_of_reals(const Rows& rows, const Parallel& parallel);

// The grids that sums over no more than n_rows rows of this range can have, the coarsest first and the last of float64's
// least bit; as many leading ones are to be used as slices_needed says. Throws std::invalid_argument for values or numbers of
// rows beyond what int64 and float64 can hold.
std::vector<double> possible_spacings(std::size_t n_rows, const std::vector<double>& origin,
                                      const ValueRange& range);

// How many of these grids leave no rest of any value of the rows.
std::size_t slices_needed(const Rows& rows, const std::vector<double>& origin,
                          const std::vector<double>& spacings, const Parallel& parallel);

// As few grids as do, for sums over no more than these rows.
std::vector<double> slice_spacings(const Rows& rows, const std::vector<double>& origin,
                                   const ValueRange& range, const Parallel& parallel);

// The grids of weighted sums, and of sums of the weights themselves. `range` is not looked at for integer rows. `sums` is
// empty where a product may have bits below float64's least: rows times a power of two may do.
struct WeightedSpacings {
    std::vector<double> sums;
    std::vector<double> weights;
};

WeightedSpacings weighted_spacings(const Rows& rows, const std::vector<double>& origin,
                                   const ValueRange& range, const Parallel& parallel);

}  // namespace kmosaic
