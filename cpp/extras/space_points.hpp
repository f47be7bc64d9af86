// Colours as points of a space, in whole numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kmosaic {

using SpacePoint = std::array<std::int32_t, 4>;

// Points [point][feature], with three features or four, from 0 to 2^14.
struct SpacePoints {
    const std::uint16_t* values;
    std::size_t n_points;
    std::size_t n_features;

    [[nodiscard]] SpacePoint operator[](std::size_t i) const {
        SpacePoint point{};
        for (std::size_t f = 0; f < n_features; ++f) point[f] = values[i * n_features + f];
        return point;
    }
};

// At most 2^30: coordinates are from 0 to 2^14.
inline std::int32_t squared_distance(const SpacePoint& a, const SpacePoint& b) {
    std::int32_t sum = 0;
    for (std::size_t f = 0; f < 4; ++f) sum += (a[f] - b[f]) * (a[f] - b[f]);
    return sum;
}

}  // namespace kmosaic
