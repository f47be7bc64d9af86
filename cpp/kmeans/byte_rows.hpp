// uint8 rows as the integer kernels read them: in whole quads of features.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kmeans/rows.hpp"

namespace kmosaic {

// x.q with |q| <= 128 fits 32 bits up to this many features.
constexpr std::size_t kMostByteFeatures = 65536;

inline std::size_t quads(std::size_t n_features) {
    return (n_features + 3) / 4;
}

// Hands out rows where they lie. Nothing may be read past the end of the last row, so the few rows whose last
// quad reaches beyond it are copied: a quad reaches at most three bytes, and so three rows, beyond its own.
class ByteRows {
  public:
    explicit ByteRows(const Rows& rows) : rows_(rows), tail_(kMostTailRows * quads(rows.n_features) * 4, 0) {}

    const std::uint8_t* operator[](std::size_t row) {
        const auto* data = static_cast<const std::uint8_t*>(rows_.row(row));
        const std::size_t n_read = quads(rows_.n_features) * 4;
        const std::size_t rows_left = rows_.n_rows - row;
        if (n_read <= rows_left * rows_.n_features) return data;
        return std::copy_n(data, rows_.n_features, tail_.data() + (rows_left - 1) * n_read) -
               rows_.n_features;
    }

  private:
    static constexpr std::size_t kMostTailRows = 3;

    const Rows& rows_;
    std::vector<std::uint8_t> tail_;
};

// Writes the whole numbers of a centroid, less 128, into its lane of panels [panel][quad][lane][4].
inline void place_bytes(std::int8_t* panels, std::size_t n_features, std::size_t lane, std::size_t feature,
                        double value) {
    const std::size_t panel_size = quads(n_features) * 4 * kPanelWidth;
    panels[lane / kPanelWidth * panel_size + feature / 4 * 4 * kPanelWidth + lane % kPanelWidth * 4 +
           feature % 4] = static_cast<std::int8_t>(value);
}

}  // namespace kmosaic
