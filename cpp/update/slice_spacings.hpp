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

// The grids that sums over no more than n_rows rows of this range can have, the coarsest first; as many leading ones are
// to be used as slices_needed says.
std::vector<double> possible_spacings(std::size_t n_rows, const std::vector<double>& origin,
                                      const ValueRange& range);

// How many of these grids leave no rest of any value of the rows; one more than there are where even all do not.
std::size_t slices_needed(const Rows& rows, const std::vector<double>& origin,
                          const std::vector<double>& spacings, const Parallel& parallel);

// As few grids as do, for sums over no more than these rows; none where even three do not.
std::vector<double> slice_spacings(const Rows& rows, const std::vector<double>& origin,
                                   const ValueRange& range, const Parallel& parallel);

}  // namespace kmosaic
