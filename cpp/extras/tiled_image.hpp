// An image of up to three dimensions, cut into tiles of rows of sixteen pixels, with what is known of each tile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/parallel.hpp"

namespace kmosaic {

// Depth, height and width; and places in them.
using Extent = std::array<std::size_t, 3>;
using Place3 = std::array<std::int64_t, 3>;

inline std::size_t volume(const Extent& shape) {
    return shape[0] * shape[1] * shape[2];
}

// Values [z][y][x][channel], at most kMaxFeature; `inside` is null, or 0 for pixels that are left out.
struct FeatureImage {
    const std::uint16_t* values;
    Extent shape;
    std::size_t n_channels;
    const std::uint8_t* inside;
};

// Differences of two values fit 16 bits.
constexpr std::uint16_t kMaxFeature = 32767;
constexpr std::size_t kTileLanes = 16;
constexpr std::size_t kTileRows = 16;
constexpr std::size_t kTilePixels = kTileLanes * kTileRows;

class TiledImage {
  public:
    struct Tile {
        std::array<std::size_t, 3> first;  // its first pixel
        std::array<std::size_t, 3> last;   // its last within the image
        std::size_t n_inside;
        Place3 place_sum;  // of the pixels inside
    };

    TiledImage(const FeatureImage& image, const Parallel& parallel);

    [[nodiscard]] const Extent& shape() const { return shape_; }
    [[nodiscard]] std::size_t n_channels() const { return n_channels_; }
    [[nodiscard]] std::size_t n_tiles() const { return tiles_.size(); }
    [[nodiscard]] const Tile& tile(std::size_t t) const { return tiles_[t]; }

    // The lowest and highest value of each channel among a tile's pixels inside, and their sums.
    [[nodiscard]] const std::uint16_t* low(std::size_t t) const { return low_.data() + t * n_channels_; }
    [[nodiscard]] const std::uint16_t* high(std::size_t t) const { return high_.data() + t * n_channels_; }
    [[nodiscard]] const std::int64_t* sums(std::size_t t) const { return sums_.data() + t * n_channels_; }

    // A channel's values, [row][lane]; those of pixels not inside are any within the channel's range.
    [[nodiscard]] const std::uint16_t* plane(std::size_t t, std::size_t channel) const {
        return values_.data() + (t * n_channels_ + channel) * kTilePixels;
    }
    [[nodiscard]] const std::uint16_t* lanes(std::size_t t, std::size_t row, std::size_t channel) const {
        return plane(t, channel) + row * kTileLanes;
    }
    // Sixteen bytes, not 0 for pixels inside.
    [[nodiscard]] const std::uint8_t* inside(std::size_t t, std::size_t row) const {
        return inside_.data() + (t * kTileRows + row) * kTileLanes;
    }
    // Plane and line of a tile's row; they may lie outside of the image.
    [[nodiscard]] std::array<std::size_t, 2> line(std::size_t t, std::size_t row) const {
        return {tiles_[t].first[0] + row / sides_[1], tiles_[t].first[1] + row % sides_[1]};
    }
    [[nodiscard]] bool has_line(const std::array<std::size_t, 2>& line) const {
        return line[0] < shape_[0] && line[1] < shape_[1];
    }
    // The tile of a pixel, its row and lane there.
    struct At {
        std::size_t tile;
        std::size_t row;
        std::size_t lane;
    };
    [[nodiscard]] At at(const Place3& place) const;

    // labels[z][y][x] of tiled[tile][row][lane].
    void untile(const std::int32_t* tiled, std::int32_t* labels, const Parallel& parallel) const;

  private:
    void fill(const FeatureImage& image, std::size_t t);
    void copy_line(const FeatureImage& image, std::size_t t, std::size_t row);

    Extent shape_;
    std::size_t n_channels_;
    Extent sides_;  // of a tile
    Extent counts_;
    std::vector<Tile> tiles_;
    std::vector<std::uint16_t> values_;
    std::vector<std::uint8_t> inside_;
    std::vector<std::uint16_t> low_;
    std::vector<std::uint16_t> high_;
    std::vector<std::int64_t> sums_;
};

}  // namespace kmosaic
