// Centroids laid out in panels, [panel][feature][lane].
#pragma once

#include <limits>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

// The place of a centroid's feature in panels of `width` lanes.
constexpr std::size_t in_panels(std::size_t centroid, std::size_t feature, std::size_t n_features,
                                std::size_t width) {
    return (centroid / width * n_features + feature) * width + centroid % width;
}

// Panels for the exact kernels. Spare lanes of the last panel are infinitely far from every row.
inline std::vector<double> exact_panels(const Centers& centers) {
    const std::size_t d = centers.n_features;
    std::vector<double> panels(round_up(centers.n_clusters, kExactPanelWidth) * d,
                               std::numeric_limits<double>::infinity());
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        for (std::size_t f = 0; f < d; ++f) panels[in_panels(j, f, d, kExactPanelWidth)] = centers.row(j)[f];
    return panels;
}

}  // namespace kmosaic
