// Rows sorted by the cluster that they join or leave, so that the rows of a cluster are summed together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

// 32 bits hold the sum of as many uint16 values, and several threads can share a large cluster.
constexpr std::size_t kMaxRowsInGroup = 2048;

struct RowGroup {
    std::size_t cluster;
    bool leaves;  // or joins
    std::span<const std::size_t> rows;
};

struct RowGroups {
    std::vector<std::size_t> rows;
    std::vector<RowGroup> groups;
};

// Rows first .. last - 1, which join the clusters of their labels.
RowGroups groups_of_labels(const std::int32_t* labels, std::size_t first, std::size_t last,
                           std::size_t n_clusters);
RowGroups groups_of_changes(const std::vector<std::span<const MovedRow>>& lists, std::size_t n_clusters);

}  // namespace kmosaic
