// What the steps of SLIC share: the fit, the sums over its centres' pixels, and where the centres are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "extras/superpixels.hpp"
#include "extras/tiled_image.hpp"

namespace kmosaic::superpixel {

constexpr std::size_t kTilesAtOnce = 32;
// More than any squared distance, of 32 bits and of 64.
constexpr std::int64_t kNarrowFar = std::int64_t{1} << 30;
constexpr std::int64_t kWideFar = std::int64_t{1} << 61;

inline std::int64_t square(std::int64_t x) {
    return x * x;
}

// What each centre's pixels sum up to: their number, places and values.
class Sums {
  public:
    Sums(std::size_t n_centers, std::size_t n_channels)
        : width_(4 + n_channels), values_(n_centers * width_) {}

    [[nodiscard]] std::int64_t* of(std::size_t k) { return values_.data() + k * width_; }
    [[nodiscard]] const std::int64_t* of(std::size_t k) const { return values_.data() + k * width_; }

    // Adds a tile's pixels, or takes them away.
    void add_tile(std::size_t k, const TiledImage& image, std::size_t t, std::int64_t sign) {
        const TiledImage::Tile& tile = image.tile(t);
        std::int64_t* sums = of(k);
        sums[0] += sign * static_cast<std::int64_t>(tile.n_inside);
        for (std::size_t a = 0; a < 3; ++a) sums[1 + a] += sign * tile.place_sum[a];
        for (std::size_t c = 0; c < image.n_channels(); ++c) sums[4 + c] += sign * image.sums(t)[c];
    }

    // The same for n pixels side by side in a tile.
    void add_pixels(std::size_t k, const TiledImage& image, const TiledImage::At& at, std::size_t n,
                    std::int64_t sign) {
        const auto [z, y] = image.line(at.tile, at.row);
        const std::size_t x = image.tile(at.tile).first[2] + at.lane;
        std::int64_t* sums = of(k);
        sums[0] += sign * static_cast<std::int64_t>(n);
        sums[1] += sign * static_cast<std::int64_t>(n * z);
        sums[2] += sign * static_cast<std::int64_t>(n * y);
        sums[3] += sign * static_cast<std::int64_t>(n * x + n * (n - 1) / 2);
        for (std::size_t c = 0; c < image.n_channels(); ++c) {
            const std::uint16_t* values = image.lanes(at.tile, at.row, c) + at.lane;
            std::int32_t sum = 0;
            for (std::size_t i = 0; i < n; ++i) sum += values[i];
            sums[4 + c] += sign * sum;
        }
    }

    void add(const Sums& other) {
        for (std::size_t i = 0; i < values_.size(); ++i) values_[i] += other.values_[i];
    }
    void clear() { std::fill(values_.begin(), values_.end(), 0); }

  private:
    std::size_t width_;
    std::vector<std::int64_t> values_;
};

// Centres by the cells, of `reach` pixels, that they are in.
class Cells {
  public:
    Cells(const Extent& shape, const Place3& reach) : reach_(reach) {
        for (std::size_t a = 0; a < 3; ++a) {
            // At least two pixels: windows of one would make as many cells as there are pixels.
            side_[a] = std::max<std::int64_t>(2, reach[a] / 2);
            counts_[a] = (static_cast<std::int64_t>(shape[a]) + side_[a] - 1) / side_[a];
        }
        starts_.resize(static_cast<std::size_t>(counts_[0] * counts_[1] * counts_[2]) + 1);
    }

    void fill(const std::vector<Place3>& places) {
        std::fill(starts_.begin(), starts_.end(), 0);
        for (const Place3& place : places) ++starts_[cell_of(place)];
        std::uint32_t total = 0;
        for (std::uint32_t& start : starts_) {
            total += start;
            start = total;
        }
        members_.resize(places.size());
        for (std::size_t k = places.size(); k-- > 0;)
            members_[--starts_[cell_of(places[k])]] = static_cast<std::uint32_t>(k);
    }

    // Calls visit(k) for all centres whose windows may reach a box of pixels, in no order.
    template <class Visit>
    void around(const Extent& first, const Extent& last, Visit visit) const {
        Place3 from{};
        Place3 to{};
        for (std::size_t a = 0; a < 3; ++a) {
            from[a] = std::max<std::int64_t>(0, static_cast<std::int64_t>(first[a]) - reach_[a]) / side_[a];
            to[a] = std::min(counts_[a] - 1, (static_cast<std::int64_t>(last[a]) + reach_[a]) / side_[a]);
        }
        for (std::int64_t z = from[0]; z <= to[0]; ++z)
            for (std::int64_t y = from[1]; y <= to[1]; ++y) {
                const auto row = static_cast<std::size_t>((z * counts_[1] + y) * counts_[2]);
                const std::uint32_t end = starts_[row + static_cast<std::size_t>(to[2]) + 1];
                for (std::uint32_t i = starts_[row + static_cast<std::size_t>(from[2])]; i < end; ++i)
                    visit(members_[i]);
            }
    }

  private:
    [[nodiscard]] std::size_t cell_of(const Place3& place) const {
        const Place3 cell{place[0] / side_[0], place[1] / side_[1], place[2] / side_[2]};
        return static_cast<std::size_t>((cell[0] * counts_[1] + cell[1]) * counts_[2] + cell[2]);
    }

    Place3 reach_;
    Place3 side_{};
    Place3 counts_{};
    std::vector<std::uint32_t> starts_;
    std::vector<std::uint32_t> members_;
};

struct Fit {
    const TiledImage& image;
    const SlicOptions& options;
    const SlicScale& scale;
    SlicCenters centers;
    Cells cells;
    std::vector<std::int32_t> labels;   // [tile][row][lane]
    std::vector<std::int32_t> uniform;  // a tile's one label, or kMixed
};

constexpr std::int32_t kMixed = -2;

// What threads add up by themselves, and then together: whole numbers, so in any order.
class Workspace {
  public:
    Workspace(std::size_t n_centers, std::size_t n_channels)
        : n_centers_(n_centers), n_channels_(n_channels) {}

    Sums& take() {
        const std::lock_guard lock(mutex_);
        if (n_taken_ == sums_.size()) sums_.push_back(std::make_unique<Sums>(n_centers_, n_channels_));
        return *sums_[n_taken_++];
    }
    void add_to(Sums& total) {
        for (std::size_t i = 0; i < n_taken_; ++i) {
            total.add(*sums_[i]);
            sums_[i]->clear();
        }
        n_taken_ = 0;
    }

  private:
    std::size_t n_centers_;
    std::size_t n_channels_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Sums>> sums_;
    std::size_t n_taken_ = 0;
};

}  // namespace kmosaic::superpixel
