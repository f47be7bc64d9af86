// Exactly the nearest of at most 256 points, for very many queries: ties go to the lowest index.
//
// A tree of cubes, filled where queries fall, says which points can be nearest within each. A point is left
// out where another one, the nearest to the cube's centre, is nearer all over the cube; that is decided in
// whole numbers, and nothing is rounded.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "extras/space_points.hpp"

namespace kmosaic {

constexpr std::size_t kMaxPalette = 256;

// One thread's: queries fill the tree.
class PaletteIndex {
  public:
    explicit PaletteIndex(const SpacePoints& palette);

    // The nearest point of the palette to one whose coordinates are from 0 to 2^14.
    std::size_t nearest(const SpacePoint& query) {
        std::size_t cube = root_of(query);
        int bits = kRootBits;
        while (true) {
            if (cubes_[cube].count == 0) list_candidates(cube, bits, query);
            const Cube& found = cubes_[cube];
            if (found.children == 0) return nearest_in(found, query);
            bits -= kChildBits;
            cube = found.children + child_of(query, bits);
        }
    }

    [[nodiscard]] const SpacePoint& point(std::size_t i) const { return palette_[i]; }
    [[nodiscard]] std::size_t size() const { return palette_.size(); }

  private:
    // Sides of 1,024, 256, 64 and 16; the alpha of all is from 0 to 2^14.
    static constexpr int kRootBits = 10;
    static constexpr int kChildBits = 2;
    static constexpr int kLeafBits = 4;
    static constexpr std::size_t kRootsPerSide = (1 << (14 - kRootBits)) + 1;
    static constexpr std::size_t kMaxLeaf = 4;

    // Its candidates, and where the first of its 64 parts is; 0 where it has none.
    struct Cube {
        std::uint32_t start = 0;
        std::uint32_t children = 0;
        std::uint16_t count = 0;
        std::uint32_t parent = 0;
    };

    static std::size_t root_of(const SpacePoint& q) {
        const auto at = [&](std::size_t f) { return static_cast<std::size_t>(q[f]) >> kRootBits; };
        return (at(0) * kRootsPerSide + at(1)) * kRootsPerSide + at(2);
    }
    static std::size_t child_of(const SpacePoint& q, int bits) {
        const auto at = [&](std::size_t f) { return (static_cast<std::size_t>(q[f]) >> bits) & 3U; };
        return at(0) << 4U | at(1) << 2U | at(2);
    }
    [[nodiscard]] std::size_t nearest_in(const Cube& cube, const SpacePoint& query) const {
        const std::uint8_t* candidate = candidates_.data() + cube.start;
        std::size_t best = *candidate;
        std::int32_t least = squared_distance(query, palette_[best]);
        for (std::size_t i = 1; i < cube.count; ++i) {
            const std::int32_t square = squared_distance(query, palette_[candidate[i]]);
            best = square < least ? candidate[i] : best;
            least = square < least ? square : least;
        }
        return best;
    }
    void list_candidates(std::size_t cube, int bits, const SpacePoint& within);

    std::vector<SpacePoint> palette_;
    std::vector<Cube> cubes_;
    std::vector<std::uint8_t> candidates_;
};

// labels[i]: the nearest of the palette's points to points[i].
void nearest_in_palette(const SpacePoints& points, const SpacePoints& palette, std::uint8_t* labels,
                        const Parallel& parallel);

}  // namespace kmosaic
