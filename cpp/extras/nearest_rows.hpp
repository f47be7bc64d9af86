// The k nearest of many rows: the float32 filter rules out all but a few, which are ordered by float64
// distances. A reference whose score is more than 2 E above the k-th least score so far is not among the k
// nearest: L4 in docs/developer/proof.md.
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
    // Of each row, a squared distance beyond which references are not wanted; null: all are. Where fewer than
    // n_neighbours are within it, the last of the list are infinitely far.
    const double* limits = nullptr;
};

// [row][neighbour], nearest first.
struct NeighbourLists {
    std::int32_t* indices;
    double* squares;
};

// Orders by float64 sums of squared differences; ties go to the lowest index. There must be at least
// n_neighbours references.
void nearest_rows(const Rows& rows, const Centers& references, const NeighbourSearch& search,
                  const NeighbourLists& result, const Parallel& parallel);

}  // namespace kmosaic
