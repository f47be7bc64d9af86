// Centroids laid out for the exact kernels: kExactPanelWidth at a time, [panel][feature][lane].
#pragma once

#include <limits>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

// Spare lanes of the last panel are infinitely far from every row.
inline std::vector<double> exact_panels(const Centers& centers) {
    const std::size_t d = centers.n_features;
    std::vector<double> panels(ceil_div(centers.n_clusters, kExactPanelWidth) * kExactPanelWidth * d,
                               std::numeric_limits<double>::infinity());
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        for (std::size_t f = 0; f < d; ++f)
            panels[(j / kExactPanelWidth * d + f) * kExactPanelWidth + j % kExactPanelWidth] =
                centers.row(j)[f];
    return panels;
}

}  // namespace kmosaic
