// In which lane of which panel each centroid stands. Lanes are cut into groups that share a bound, and a group holds
// centroids near each other: then few groups are near a row, and one far-moving centroid spoils few bounds.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernels.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

struct Arrangement {
    // At most so many groups, a power of two.
    Arrangement(std::size_t n_clusters, std::size_t most_groups);

    // Place centroids, given as n_clusters points of `width` values, by bisection.
    void place(const std::vector<float>& points, std::size_t width);

    [[nodiscard]] std::size_t n_lanes() const { return centroid_of.size(); }
    [[nodiscard]] std::size_t n_panels() const { return n_lanes() / kPanelWidth; }
    // Panels that share one bound; 1 where groups share a panel.
    [[nodiscard]] std::size_t panels_a_group() const {
        return (lanes_a_group + kPanelWidth - 1) / kPanelWidth;
    }
    [[nodiscard]] std::size_t group_of_lane(std::size_t lane) const { return lane / lanes_a_group; }

    std::size_t n_groups;
    std::size_t lanes_a_group;
    std::vector<std::int32_t> centroid_of;  // by lane; -1: none
    std::vector<std::int32_t> lane_of;      // by centroid
};

}  // namespace kmosaic
