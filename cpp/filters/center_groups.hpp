// The lane of each centroid. Lanes are divided into groups that share a lower bound (Ding et al. 2015). A
// group holds centroids near each other, so that few groups are near a row and a fast-moving centroid loosens
// few bounds.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic {

struct CenterGroups {
    // `max_groups` is a power of two.
    CenterGroups(std::size_t n_clusters, std::size_t max_groups);

    // Assigns centroids, given as n_clusters points of `width` values, to lanes by bisection.
    void assign_lanes(const std::vector<float>& points, std::size_t width);

    [[nodiscard]] std::size_t n_lanes() const { return centroid_of.size(); }
    [[nodiscard]] std::size_t n_panels() const { return n_lanes() / kPanelWidth; }
    // Panels that share a bound; 1 where several groups share a panel.
    [[nodiscard]] std::size_t panels_per_group() const { return ceil_div(lanes_per_group, kPanelWidth); }
    [[nodiscard]] std::size_t group_of_lane(std::size_t lane) const { return lane / lanes_per_group; }

    std::size_t n_groups;
    std::size_t lanes_per_group;
    std::vector<std::int32_t> centroid_of;  // by lane; -1 for a spare lane
    std::vector<std::int32_t> lane_of;      // by centroid
};

}  // namespace kmosaic
