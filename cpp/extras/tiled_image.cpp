#include "extras/tiled_image.hpp"

#include <algorithm>

namespace kmosaic {

namespace {

constexpr std::size_t kTilesAtOnce = 16;

}  // namespace

TiledImage::TiledImage(const FeatureImage& image, const Parallel& parallel)
    : shape_(image.shape),
      n_channels_(image.n_channels),
      sides_(image.shape[0] == 1 ? Extent{1, kTileRows, kTileLanes} : Extent{4, kTileRows / 4, kTileLanes}) {
    for (int a = 0; a < 3; ++a) counts_[a] = ceil_div(shape_[a], sides_[a]);
    const std::size_t n = volume(counts_);
    tiles_.resize(n);
    values_.resize(n * kTilePixels * n_channels_);
    inside_.resize(n * kTilePixels);
    low_.assign(n * n_channels_, UINT16_MAX);
    high_.resize(n * n_channels_);
    sums_.resize(n * n_channels_);
    parallel_blocks(n, kTilesAtOnce, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t t = first; t < first + count; ++t) fill(image, t);
        };
    });
}

void TiledImage::fill(const FeatureImage& image, std::size_t t) {
    Tile& tile = tiles_[t];
    const Extent index{t / (counts_[1] * counts_[2]), t / counts_[2] % counts_[1], t % counts_[2]};
    for (int a = 0; a < 3; ++a) {
        tile.first[a] = index[a] * sides_[a];
        tile.last[a] = std::min(tile.first[a] + sides_[a], shape_[a]) - 1;
    }
    for (std::size_t row = 0; row < kTileRows; ++row)
        if (has_line(line(t, row))) copy_line(image, t, row);
    if (tile.n_inside == kTilePixels || tile.n_inside == 0) return;
    // Differences to what is left out do not overflow either.
    for (std::size_t c = 0; c < n_channels_; ++c)
        for (std::size_t i = 0; i < kTilePixels; ++i)
            if (!inside_[t * kTilePixels + i])
                values_[(t * n_channels_ + c) * kTilePixels + i] = low_[t * n_channels_ + c];
}

void TiledImage::copy_line(const FeatureImage& image, std::size_t t, std::size_t row) {
    Tile& tile = tiles_[t];
    const auto [z, y] = line(t, row);
    const std::size_t n = tile.last[2] - tile.first[2] + 1;
    const std::size_t start = (z * shape_[1] + y) * shape_[2] + tile.first[2];
    std::uint8_t* within = inside_.data() + (t * kTileRows + row) * kTileLanes;
    std::int64_t n_inside = 0;
    for (std::size_t x = 0; x < n; ++x) {
        within[x] = image.inside == nullptr || image.inside[start + x] != 0;
        n_inside += within[x];
        if (within[x]) tile.place_sum[2] += static_cast<std::int64_t>(tile.first[2] + x);
    }
    tile.n_inside += static_cast<std::size_t>(n_inside);
    tile.place_sum[0] += n_inside * static_cast<std::int64_t>(z);
    tile.place_sum[1] += n_inside * static_cast<std::int64_t>(y);
    for (std::size_t c = 0; c < n_channels_; ++c) {
        const std::uint16_t* from = image.values + start * n_channels_ + c;
        std::uint16_t* to = values_.data() + (t * n_channels_ + c) * kTilePixels + row * kTileLanes;
        std::uint16_t lowest = low_[t * n_channels_ + c];
        std::uint16_t highest = high_[t * n_channels_ + c];
        std::uint32_t sum = 0;
        for (std::size_t x = 0; x < n; ++x) {
            to[x] = from[x * n_channels_];
            if (!within[x]) continue;
            lowest = std::min(lowest, to[x]);
            highest = std::max(highest, to[x]);
            sum += to[x];
        }
        low_[t * n_channels_ + c] = lowest;
        high_[t * n_channels_ + c] = highest;
        sums_[t * n_channels_ + c] += sum;
    }
}

TiledImage::At TiledImage::at(const Place3& place) const {
    Extent index{};
    Extent within{};
    for (int a = 0; a < 3; ++a) {
        index[a] = static_cast<std::size_t>(place[a]) / sides_[a];
        within[a] = static_cast<std::size_t>(place[a]) % sides_[a];
    }
    return {(index[0] * counts_[1] + index[1]) * counts_[2] + index[2], within[0] * sides_[1] + within[1],
            within[2]};
}

void TiledImage::untile(const std::int32_t* tiled, std::int32_t* labels, const Parallel& parallel) const {
    parallel_blocks(n_tiles(), kTilesAtOnce, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t t = first; t < first + count; ++t)
                for (std::size_t row = 0; row < kTileRows; ++row) {
                    const auto at = line(t, row);
                    if (!has_line(at)) continue;
                    const std::int32_t* from = tiled + (t * kTileRows + row) * kTileLanes;
                    std::copy(from, from + (tiles_[t].last[2] - tiles_[t].first[2] + 1),
                              labels + (at[0] * shape_[1] + at[1]) * shape_[2] + tiles_[t].first[2]);
                }
        };
    });
}

}  // namespace kmosaic
