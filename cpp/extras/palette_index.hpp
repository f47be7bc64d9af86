// Exactly the nearest of at most 256 points, for very many queries: ties go to the lowest index.
//
// In three dimensions a grid says which points can be nearest within each of its cells. A point is left out
// where another one, the nearest to the cell's centre, is nearer all over the cell; that is decided in whole
// numbers, and nothing is rounded. In four dimensions (with alpha) all points are compared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/parallel.hpp"

namespace kmosaic {

constexpr std::size_t kMaxPalette = 256;

using SpacePoint = std::array<std::int32_t, 4>;

// Points [point][feature], with three features or four.
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

// What queries lie in, bounds included.
struct SpaceBox {
    SpacePoint low{INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX};
    SpacePoint high{0, 0, 0, 0};

    void include(const SpacePoint& point);
};

SpaceBox bounding_box(const SpacePoints& points, const Parallel& parallel);

class PaletteIndex {
  public:
    PaletteIndex(const SpacePoints& palette, const SpaceBox& box, const Parallel& parallel);

    // The nearest point of the palette to one within the box.
    [[nodiscard]] std::size_t nearest(const SpacePoint& query) const {
        if (n_features_ == 4) return nearest_of_all(query);
        const Cell& cell = cells_[cell_of(query)];
        if (cell.count == 1) return cell.first;
        std::size_t best = 0;
        std::int32_t least = INT32_MAX;
        const std::uint8_t* candidate = candidates_.data() + cell.start;
        for (const std::uint8_t* end = candidate + cell.count; candidate != end; ++candidate) {
            const std::int32_t square = squared_distance(query, palette_[*candidate]);
            if (square < least) {
                least = square;
                best = *candidate;
            }
        }
        return best;
    }

    [[nodiscard]] const SpacePoint& point(std::size_t i) const { return palette_[i]; }
    [[nodiscard]] std::size_t size() const { return palette_.size(); }
    [[nodiscard]] std::size_t n_features() const { return n_features_; }
    [[nodiscard]] const SpaceBox& box() const { return box_; }

    // At most 3 * 2^29: coordinates are at most 2^14, those of the chroma at most 2^14 apart.
    [[nodiscard]] static std::int32_t squared_distance(const SpacePoint& a, const SpacePoint& b) {
        std::int32_t sum = 0;
        for (std::size_t f = 0; f < 4; ++f) sum += (a[f] - b[f]) * (a[f] - b[f]);
        return sum;
    }

  private:
    struct Cell {
        std::uint32_t start;
        std::uint16_t count;
        std::uint8_t first;
    };
    using Place = std::array<std::size_t, 3>;

    [[nodiscard]] std::size_t cell_of(const SpacePoint& q) const {
        const auto at = [&](std::size_t f) {
            return static_cast<std::size_t>(q[f] - box_.low[f]) >> cell_bits_;
        };
        return (at(0) * n_cells_[1] + at(1)) * n_cells_[2] + at(2);
    }
    [[nodiscard]] std::size_t nearest_of_all(const SpacePoint& query) const;
    void choose_cells();
    void list_candidates(const Parallel& parallel);
    void list_within(const Place& block, std::vector<std::uint8_t>& listed);
    void reduce(const Place& cell, int bits, std::vector<std::uint8_t>& candidates) const;

    std::size_t n_features_;
    std::vector<SpacePoint> palette_;
    SpaceBox box_;
    int cell_bits_ = 0;
    Place n_cells_{};
    std::vector<Cell> cells_;
    std::vector<std::uint8_t> candidates_;
};

// labels[i]: the nearest of the index's points to points[i], all of which lie in its box.
void nearest_in_palette(const SpacePoints& points, const PaletteIndex& index, std::uint8_t* labels,
                        const Parallel& parallel);

}  // namespace kmosaic
