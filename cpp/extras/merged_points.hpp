// Many colours merged into fewer, so that a fit of them costs less.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "extras/space_points.hpp"

namespace kmosaic {

// Points with counts, merged into the means of cubes.
struct MergedPoints {
    std::vector<std::uint16_t> points;
    std::vector<std::int64_t> counts;
};

// Merges points in cubes of the smallest side, a power of two, of which there are at most `most`. Means are rounded.
MergedPoints merge_points(const SpacePoints& points, const std::int64_t* counts, std::size_t most);

}  // namespace kmosaic
