// Labels made into connected regions: parts of a label that lie apart become regions of their own, small ones
// join the neighbour whose mean is nearest, and those that are too large are cut.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/parallel.hpp"
#include "extras/tiled_image.hpp"

namespace kmosaic {

struct RegionSizes {
    std::size_t least;  // smaller regions join others
    std::size_t most;   // larger ones are cut into parts of so many pixels
};

// Pixels are connected across faces; those of label -1 are in no region. Writes numbers from 0 on in the order
// of the regions' first pixels, and returns how many there are. The smallest region is joined first (ties: the
// first), to the neighbour whose mean values are nearest by float64 sums (ties: the first).
std::size_t connect_regions(const TiledImage& image, const RegionSizes& sizes, std::int32_t* labels,
                            const Parallel& parallel);

}  // namespace kmosaic
