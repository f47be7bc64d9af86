// Rows drawn at random by where they stand, so that how they are cut into blocks changes nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"

namespace kmosaic {

struct DrawnRow {
    std::uint64_t key;
    std::int64_t position;
};

// Those among the positions first, first + 1, ... , n in all, whose key, a hash of position and seed, is below `limit`,
// ascending; where `present` is given, only those that it marks. Keys are as good as uniform: 2^64 p draws each position
// with probability p.
std::vector<DrawnRow> draw_rows(std::int64_t first, std::size_t n, const std::uint8_t* present,
                                std::uint64_t seed, std::uint64_t limit, const Parallel& parallel);

}  // namespace kmosaic
