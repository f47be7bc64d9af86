// The nearest of many rows, exactly: float32 screening rules out all but a few, float64 orders those.
//
// The bound is the one of filters/float32_filter.hpp. With t_j the computed scores, each within E of the true one, and T the
// k-th smallest t_j seen so far: k references have true scores of at most T + E, so none whose t_j is above T + 2E is
// among the k nearest.
#pragma once

#include <cstdint>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

constexpr std::size_t kNotOwn = static_cast<std::size_t>(-1);

struct NeighbourSearch {
    std::size_t n_neighbours;
    // Row i is reference own + i, and not its own neighbour; kNotOwn: no row is a reference.
    std::size_t own;
};

// n_neighbours a row, nearest first.
struct NeighbourLists {
    std::int32_t* indices;
    double* squares;
};

// Ties go to the lowest index, as float64 sums of squared differences tell. There must be that many references.
void nearest_rows(const Rows& rows, const Centers& references, const NeighbourSearch& search,
                  const NeighbourLists& found, const Parallel& parallel);

}  // namespace kmosaic
