// Centroids equal to an earlier one. Ties go to the lowest index, so no row can belong to them.
#pragma once

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

// Sorts centroids by key and then by bytes, which makes equal ones adjacent. Equal centroids must have equal
// keys.
template <class KeyOf>
std::vector<std::size_t> duplicate_centers(const Centers& centers, KeyOf key_of) {
    const std::size_t bytes = centers.n_features * sizeof(double);
    std::vector<std::size_t> order(centers.n_clusters);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto compare = [&](std::size_t a, std::size_t b) {
        if (key_of(a) != key_of(b)) return key_of(a) < key_of(b) ? -1 : 1;
        return std::memcmp(centers.row(a), centers.row(b), bytes);
    };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const int difference = compare(a, b);
        return difference != 0 ? difference < 0 : a < b;
    });
    std::vector<std::size_t> copies;
    for (std::size_t i = 1; i < order.size(); ++i)
        if (compare(order[i - 1], order[i]) == 0) copies.push_back(order[i]);
    return copies;
}

inline std::vector<std::size_t> duplicate_centers(const Centers& centers) {
    return duplicate_centers(centers, [](std::size_t) { return 0; });
}

}  // namespace kmosaic
