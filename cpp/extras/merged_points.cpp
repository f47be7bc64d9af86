#include "extras/merged_points.hpp"

#include <array>
#include <bit>

namespace kmosaic {

namespace {

constexpr int kMinCubeBits = 6;
constexpr int kCoordinateBits = 15;

// Which cube a point is in, as a number of 3 or 4 times (15 - bits) bits.
std::uint64_t cube_key(const SpacePoint& point, std::size_t n_features, int bits) {
    std::uint64_t key = 0;
    for (std::size_t f = 0; f < n_features; ++f)
        key = key << static_cast<unsigned>(kCoordinateBits - bits) |
              static_cast<std::uint64_t>(point[f] >> bits);
    return key;
}

}  // namespace

MergedPoints merge_points(const SpacePoints& points, const std::int64_t* counts, std::size_t most) {
    // With alpha, larger cubes keep the bitmap small.
    int bits = points.n_features == 4 ? kMinCubeBits + 2 : kMinCubeBits;
    std::vector<std::uint64_t> bitmap;
    std::size_t n_cubes = 0;
    for (;; ++bits) {
        bitmap.assign(
            (std::size_t{1} << (points.n_features * static_cast<std::size_t>(kCoordinateBits - bits))) / 64 +
                1,
            0);
        for (std::size_t i = 0; i < points.n_points; ++i) {
            const std::uint64_t key = cube_key(points[i], points.n_features, bits);
            bitmap[key / 64] |= std::uint64_t{1} << (key % 64);
        }
        n_cubes = 0;
        for (const std::uint64_t word : bitmap) n_cubes += static_cast<std::size_t>(std::popcount(word));
        if (n_cubes <= most || bits + 1 == kCoordinateBits) break;
    }
    std::vector<std::uint32_t> ranks(bitmap.size());
    std::uint32_t rank = 0;
    for (std::size_t w = 0; w < bitmap.size(); ++w) {
        ranks[w] = rank;
        rank += static_cast<std::uint32_t>(std::popcount(bitmap[w]));
    }
    MergedPoints merged;
    merged.counts.resize(n_cubes);
    std::vector<std::array<std::int64_t, 4>> sums(n_cubes);
    for (std::size_t i = 0; i < points.n_points; ++i) {
        const SpacePoint point = points[i];
        const std::uint64_t key = cube_key(point, points.n_features, bits);
        const std::uint64_t before = bitmap[key / 64] & ((std::uint64_t{1} << (key % 64)) - 1);
        const std::size_t cube = ranks[key / 64] + static_cast<std::size_t>(std::popcount(before));
        merged.counts[cube] += counts[i];
        for (std::size_t f = 0; f < 4; ++f) sums[cube][f] += counts[i] * point[f];
    }
    for (std::size_t c = 0; c < n_cubes; ++c)
        for (std::size_t f = 0; f < points.n_features; ++f)
            merged.points.push_back(
                static_cast<std::uint16_t>((sums[c][f] + merged.counts[c] / 2) / merged.counts[c]));
    return merged;
}

}  // namespace kmosaic
