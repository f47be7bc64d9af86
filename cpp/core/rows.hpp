// The data as it is stored: C-contiguous rows of one of eight types, optionally with weights or counts.
// Nothing is owned or copied.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include "kernels/kernels.hpp"

namespace kmosaic {

constexpr const char* kDtypeNames[kDtypes] = {"uint8",   "int8",     "uint16",  "int16",
                                              "float16", "bfloat16", "float32", "float64"};

struct Rows {
    const void* data;
    Dtype dtype;
    std::size_t n_rows;
    std::size_t n_features;
    const double* weights;  // [row], or null: every row counts once
    // [row], or null: how many equal rows each row stands for. Only for integer rows without weights.
    const std::uint32_t* counts = nullptr;

    [[nodiscard]] bool integer() const { return is_integer(dtype); }
    [[nodiscard]] std::uint32_t count(std::size_t row) const { return counts ? counts[row] : 1; }
    [[nodiscard]] double weight(std::size_t row) const { return weights ? weights[row] : count(row); }
    [[nodiscard]] std::size_t row_bytes() const { return n_features * size_of(dtype); }
    [[nodiscard]] const void* row(std::size_t i) const {
        return static_cast<const char*>(data) + i * row_bytes();
    }
};

// Centroids in float64, [cluster][feature].
struct Centers {
    const double* data;
    std::size_t n_clusters;
    std::size_t n_features;

    [[nodiscard]] const double* row(std::size_t j) const { return data + j * n_features; }
};

// No centroid is nearest if one has values that are not finite. Rows are not checked: such a row is equally
// far from all centroids.
inline void check_finite(const Centers& centers) {
    const double* end = centers.data + centers.n_clusters * centers.n_features;
    if (!std::all_of(centers.data, end, [](double value) { return std::isfinite(value); }))
        throw std::invalid_argument("centers must be finite, without NaN");
}

}  // namespace kmosaic
