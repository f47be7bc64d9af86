// Rows drawn at random by their positions, so that the division into blocks does not change the sample.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"

namespace kmosaic {

struct DrawnRow {
    std::uint64_t key;
    std::int64_t position;
};

// Draws, in ascending order, those of the n positions from `first` on whose key, a hash of position and seed,
// is below `limit`; if `present` is given, only positions that it marks. Keys are practically uniform: a
// limit of 2^64 p draws each position with probability p.
std::vector<DrawnRow> draw_rows(std::int64_t first, std::size_t n, const std::uint8_t* present,
                                std::uint64_t seed, std::uint64_t limit, const Parallel& parallel);

}  // namespace kmosaic
