// Each row's nearest among a few consecutive centroids of its own: the children of the node that it is at in
// a tree of clusters.
#pragma once

#include <cstdint>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

// labels[i] becomes the nearest to row i of the centroids first[i] .. first[i] + count[i] - 1, decided
// exactly; ties go to the lowest. Returns how many labels changed.
std::size_t nearest_within(const Rows& rows, const Centers& centers, const std::int32_t* first,
                           const std::int32_t* count, std::int32_t* labels, const Parallel& parallel);

// leaves[i] becomes the node without children that row i comes to on its way down a tree: from node 0 on it goes
// to the nearest of a node's children, which are first[node] .. first[node] + count[node] - 1, all above
// `node`.
void descend(const Rows& rows, const Centers& nodes, const std::int32_t* first, const std::int32_t* count,
             std::int32_t* leaves, const Parallel& parallel);

}  // namespace kmosaic
