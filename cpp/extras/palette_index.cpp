#include "extras/palette_index.hpp"

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "extras/colour_space.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlockPoints = 1 << 14;

}  // namespace

PaletteIndex::PaletteIndex(const SpacePoints& palette)
    : cubes_(kRootsPerSide * kRootsPerSide * kRootsPerSide), candidates_(palette.n_points) {
    for (std::size_t i = 0; i < palette.n_points; ++i) palette_.push_back(palette[i]);
    std::iota(candidates_.begin(), candidates_.end(), std::uint8_t{0});
}

// Leaves out of the parent's candidates those that are farther, all over the cube, than the one nearest to its
// centre c: |x - a|^2 - |x - b|^2 = |c - a|^2 - |c - b|^2 + 2 (x - c).(b - a), and no coordinate of x - c is
// above half the side.
void PaletteIndex::list_candidates(std::size_t cube, int bits, const SpacePoint& within) {
    SpacePoint centre{};
    for (std::size_t f = 0; f < 3; ++f) centre[f] = (within[f] >> bits << bits) + (1 << (bits - 1));
    centre[3] = kUnit / 2;
    const Cube parent = bits == kRootBits ? Cube{0, 0, static_cast<std::uint16_t>(palette_.size()), 0}
                                          : cubes_[cubes_[cube].parent];
    std::array<std::int32_t, kMaxPalette> squares{};
    std::size_t best = 0;
    for (std::size_t i = 0; i < parent.count; ++i) {
        squares[i] = squared_distance(centre, palette_[candidates_[parent.start + i]]);
        if (squares[i] < squares[best]) best = i;
    }
    const SpacePoint nearest = palette_[candidates_[parent.start + best]];
    const auto start = static_cast<std::uint32_t>(candidates_.size());
    for (std::size_t i = 0; i < parent.count; ++i) {
        const std::uint8_t candidate = candidates_[parent.start + i];
        const SpacePoint& other = palette_[candidate];
        std::int64_t reach = 0;
        for (std::size_t f = 0; f < 3; ++f) reach += std::int64_t{std::abs(other[f] - nearest[f])} << bits;
        reach += std::int64_t{std::abs(other[3] - nearest[3])} << kUnitBits;
        if (squares[i] - std::int64_t{squares[best]} <= reach) candidates_.push_back(candidate);
    }
    const std::size_t count = candidates_.size() - start;
    cubes_[cube].start = start;
    cubes_[cube].count = static_cast<std::uint16_t>(count);
    if (count <= kMaxLeaf || bits == kLeafBits) return;
    cubes_[cube].children = static_cast<std::uint32_t>(cubes_.size());
    Cube child;
    child.parent = static_cast<std::uint32_t>(cube);
    cubes_.resize(cubes_.size() + (std::size_t{1} << (3 * kChildBits)), child);
}

void nearest_in_palette(const SpacePoints& points, const SpacePoints& palette, std::uint8_t* labels,
                        const Parallel& parallel) {
    parallel_blocks(points.n_points, kBlockPoints, parallel, [&] {
        return [&, index = PaletteIndex(palette)](std::size_t first, std::size_t count) mutable {
            for (std::size_t i = first; i < first + count; ++i)
                labels[i] = static_cast<std::uint8_t>(index.nearest(points[i]));
        };
    });
}

}  // namespace kmosaic
