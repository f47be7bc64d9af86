// Centroids whose float32 products with a row of ones round the same way at every addition: the worst case
// that the bound of filters/float32_filter.hpp has to cover, where random data has errors that cancel.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace kmosaic::testing {

// Values near 3/4 that a float32 sum, started anew every `chunk` of them, rounds down (or up) by nearly half
// a unit in its last place each time. `balance` keeps the centroid's squared distance from a row of ones near
// that of a centroid of 3/4s, by steps too coarse to change the rounding; what is left of it is returned in
// *excess.
inline std::vector<double> rounding_one_way(std::size_t n, std::size_t chunk, bool down, double* excess) {
    std::vector<double> values(n);
    double left = 0;
    float sum = 0;
    for (std::size_t f = 0; f < n; ++f) {
        if (f % chunk == 0) sum = 0;
        const double unit = std::ldexp(1.0, std::max(std::ilogb(std::fmax(sum, 1e-3F) + 0.75F) - 23, -24));
        const double nudge = std::max(unit / 2 - 0x1p-24, 0.0) * (down ? 1 : -1);
        const double step = left < 0 ? -0x1p-6 : 0x1p-6;
        values[f] = 0.75 + nudge + step;
        left += (1 - values[f]) * (1 - values[f]) - 0.0625;
        sum += static_cast<float>(values[f]);
    }
    *excess = left;
    return values;
}

}  // namespace kmosaic::testing
