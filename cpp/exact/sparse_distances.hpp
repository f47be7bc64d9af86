// The squared distance of two sparse rows: the bits of ExactKernels::squared_distance.
#pragma once

#include <cstdint>

#include "core/sparse_rows.hpp"

namespace kmosaic {

// That adds the squares of features in 16 sums, in turn, and those in pairs. A feature at which both rows are
// 0 adds 0 to one of them, which changes nothing.
inline double squared_distance(const SparseRow& a, const SparseRow& b) {
    constexpr std::size_t kSums = 16;
    double sums[kSums] = {};
    std::size_t i = 0, j = 0;
    while (i < a.size || j < b.size) {
        const std::int32_t in_a = i < a.size ? a.columns[i] : INT32_MAX;
        const std::int32_t in_b = j < b.size ? b.columns[j] : INT32_MAX;
        const std::int32_t column = in_a < in_b ? in_a : in_b;
        const double x = in_a == column ? a.values[i++] : 0;
        const double y = in_b == column ? b.values[j++] : 0;
        const double difference = x - y;
        sums[static_cast<std::size_t>(column) % kSums] += difference * difference;
    }
    for (std::size_t width = kSums / 2; width > 0; width /= 2)
        for (std::size_t l = 0; l < width; ++l) sums[l] += sums[l + width];
    return sums[0];
}

}  // namespace kmosaic
