#include "extras/superpixel_assign.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace kmosaic::superpixel {

namespace {

template <class Distance>
constexpr Distance far() {
    return static_cast<Distance>(sizeof(Distance) == 4 ? kNarrowFar : kWideFar);
}

// A centre that a tile's pixels may be nearest to.
struct Candidate {
    std::uint32_t center;
    bool whole;  // its window holds all of the tile
    std::int64_t least;
};

// The least and the largest squared distance of a centre from the points that a tile's box holds.
struct Range {
    std::int64_t least = 0;
    std::int64_t most = 0;

    void add(std::int64_t value, std::int64_t low, std::int64_t high, std::int64_t factor) {
        const std::int64_t below = low - value;
        const std::int64_t above = value - high;
        const std::int64_t outside = std::max<std::int64_t>({below, above, 0});
        least += factor * square(outside);
        most += factor * square(std::max(-below, -above));
    }
};

// distances += factor (values - center)^2; factor is 1 where distances are of 32 bits.
void add_squares(const std::uint16_t* __restrict values, std::int16_t center, std::int32_t,
                 std::int32_t* __restrict distances) {
    for (std::size_t i = 0; i < kTilePixels; ++i) {
        const auto difference = static_cast<std::int16_t>(static_cast<std::int16_t>(values[i]) - center);
        distances[i] += std::int32_t{difference} * std::int32_t{difference};
    }
}
void add_squares(const std::uint16_t* __restrict values, std::int16_t center, std::int64_t factor,
                 std::int64_t* __restrict distances) {
    for (std::size_t i = 0; i < kTilePixels; ++i) {
        const auto difference = static_cast<std::int16_t>(static_cast<std::int16_t>(values[i]) - center);
        distances[i] += factor * (std::int32_t{difference} * std::int32_t{difference});
    }
}

template <class Distance>
void keep_nearer(const Distance* __restrict distances, std::int32_t label, Distance* __restrict least,
                 std::int32_t* __restrict nearest) {
    for (std::size_t i = 0; i < kTilePixels; ++i) {
        const bool nearer = distances[i] < least[i];
        least[i] = nearer ? distances[i] : least[i];
        nearest[i] = nearer ? label : nearest[i];
    }
}

template <class Distance>
class TileWorker {
  public:
    TileWorker(Fit& fit, Sums& sums) : fit_(fit), image_(fit.image), sums_(sums) {}

    // Labels a tile's pixels; returns how many changed.
    std::size_t operator()(std::size_t t) {
        if (image_.tile(t).n_inside == 0) return 0;
        find_candidates(t);
        if (candidates_.size() == 1 && candidates_[0].whole) return fill(t, candidates_[0].center);
        compare_all(t);
        const std::size_t n_changed = store(t);
        note_uniform(t, n_changed);
        return n_changed;
    }

  private:
    void find_candidates(std::size_t t) {
        const TiledImage::Tile& tile = image_.tile(t);
        candidates_.clear();
        std::int64_t limit = kWideFar;
        // The centre of some pixel is likely to be near all of them, which rules most others out at once.
        const std::uint32_t likely = some_label(t);
        if (likely != kNone) consider(t, likely, limit);
        fit_.cells.around(tile.first, tile.last, [&](std::uint32_t k) {
            if (k != likely) consider(t, k, limit);
        });
        std::erase_if(candidates_, [&](const Candidate& one) { return one.least > limit; });
        std::sort(candidates_.begin(), candidates_.end(),
                  [](const Candidate& a, const Candidate& b) { return a.center < b.center; });
    }

    static constexpr std::uint32_t kNone = UINT32_MAX;

    [[nodiscard]] std::uint32_t some_label(std::size_t t) const {
        if (fit_.uniform[t] >= 0) return static_cast<std::uint32_t>(fit_.uniform[t]);
        const std::int32_t middle = fit_.labels[t * kTilePixels + kTilePixels / 2 + kTileLanes / 2];
        return middle >= 0 ? static_cast<std::uint32_t>(middle) : kNone;
    }

    void consider(std::size_t t, std::uint32_t k, std::int64_t& limit) {
        const TiledImage::Tile& tile = image_.tile(t);
        const Place3& place = fit_.centers.places[k];
        const std::int64_t* point = fit_.centers.point(k);
        bool whole = true;
        Range range;
        for (std::size_t a = 0; a < 3; ++a) {
            const auto first = static_cast<std::int64_t>(tile.first[a]);
            const auto last = static_cast<std::int64_t>(tile.last[a]);
            const std::int64_t reach = fit_.options.reach[a];
            if (place[a] + reach < first || place[a] - reach > last) return;
            whole = whole && place[a] - reach <= first && place[a] + reach >= last;
            const std::vector<std::int64_t>& at = fit_.scale.coordinates[a];
            range.add(point[a], at[tile.first[a]], at[tile.last[a]], 1);
        }
        if (range.least > limit) return;
        const std::int64_t factor = fit_.centers.factors[k];
        const std::uint16_t* low = image_.low(t);
        const std::uint16_t* high = image_.high(t);
        for (std::size_t c = 0; c < image_.n_channels(); ++c)
            range.add(point[3 + c], low[c], high[c], factor);
        if (range.least > limit) return;
        if (whole) limit = std::min(limit, range.most);
        candidates_.push_back({k, whole, range.least});
    }

    std::size_t fill(std::size_t t, std::uint32_t center) {
        const auto label = static_cast<std::int32_t>(center);
        if (fit_.uniform[t] == label) return 0;
        if (fit_.uniform[t] == kMixed) {
            nearest_.fill(label);
            fit_.uniform[t] = label;
            return store(t);
        }
        if (fit_.uniform[t] >= 0) sums_.add_tile(static_cast<std::size_t>(fit_.uniform[t]), image_, t, -1);
        sums_.add_tile(center, image_, t, 1);
        std::int32_t* labels = fit_.labels.data() + t * kTilePixels;
        const std::uint8_t* inside = image_.inside(t, 0);
        for (std::size_t i = 0; i < kTilePixels; ++i) labels[i] = inside[i] ? label : -1;
        fit_.uniform[t] = label;
        return image_.tile(t).n_inside;
    }

    // Finds each pixel's nearest candidate, or -1: loops over all of the tile, which compilers turn into vectors.
    void compare_all(std::size_t t) {
        least_.fill(far<Distance>());
        nearest_.fill(-1);
        for (const Candidate& candidate : candidates_) {
            const std::uint32_t k = candidate.center;
            measure_places(t, k);
            const std::int64_t* point = fit_.centers.point(k) + 3;
            for (std::size_t c = 0; c < image_.n_channels(); ++c)
                add_squares(image_.plane(t, c), static_cast<std::int16_t>(point[c]),
                            static_cast<Distance>(fit_.centers.factors[k]), distances_.data());
            keep_nearer(distances_.data(), static_cast<std::int32_t>(k), least_.data(), nearest_.data());
        }
    }

    // distances = from the centre in place; far where a pixel is out of its window.
    void measure_places(std::size_t t, std::uint32_t k) {
        Distance along[kTileLanes];
        const TiledImage::Tile& tile = image_.tile(t);
        for (std::size_t lane = 0; lane < kTileLanes; ++lane) {
            const std::size_t x = tile.first[2] + lane;
            along[lane] = x <= tile.last[2] && within(k, 2, x) ? static_cast<Distance>(from_center(k, 2, x))
                                                               : far<Distance>();
        }
        for (std::size_t row = 0; row < kTileRows; ++row) {
            const auto at = image_.line(t, row);
            Distance* own = distances_.data() + row * kTileLanes;
            if (!image_.has_line(at) || !within(k, 0, at[0]) || !within(k, 1, at[1])) {
                std::fill(own, own + kTileLanes, far<Distance>());
                continue;
            }
            const auto across = static_cast<Distance>(from_center(k, 0, at[0]) + from_center(k, 1, at[1]));
            for (std::size_t lane = 0; lane < kTileLanes; ++lane) own[lane] = along[lane] + across;
        }
    }

    [[nodiscard]] bool within(std::uint32_t k, std::size_t axis, std::size_t at) const {
        return std::abs(static_cast<std::int64_t>(at) - fit_.centers.places[k][axis]) <=
               fit_.options.reach[axis];
    }
    [[nodiscard]] std::int64_t from_center(std::uint32_t k, std::size_t axis, std::size_t at) const {
        return square(fit_.scale.coordinates[axis][at] - fit_.centers.point(k)[axis]);
    }

    // Takes the nearest as labels; returns how many changed.
    std::size_t store(std::size_t t) {
        std::size_t n_changed = 0;
        for (std::size_t row = 0; row < kTileRows; ++row)
            if (image_.has_line(image_.line(t, row))) n_changed += store_row(t, row);
        return n_changed;
    }

    std::size_t store_row(std::size_t t, std::size_t row) {
        std::int32_t* labels = fit_.labels.data() + (t * kTileRows + row) * kTileLanes;
        const std::int32_t* nearest = nearest_.data() + row * kTileLanes;
        const std::uint8_t* inside = image_.inside(t, row);
        std::int32_t differences = 0;
        // A pixel in no window differs in any case.
        for (std::size_t x = 0; x < kTileLanes; ++x)
            differences |= (labels[x] ^ nearest[x]) | (nearest[x] >> 31);
        if (differences == 0) return 0;
        std::size_t n_changed = 0;
        for (std::size_t x = 0; x < kTileLanes;) {
            const TiledImage::At at{t, row, x};
            const std::int32_t before = labels[x];
            const std::int32_t label = !inside[x]        ? before
                                       : nearest[x] >= 0 ? nearest[x]
                                                         : nearest_in_place(at);
            // Neighbours change together, and are added together.
            std::size_t n = 1;
            while (x + n < kTileLanes && inside[x + n] == inside[x] && labels[x + n] == before &&
                   nearest[x + n] == nearest[x] && nearest[x] >= 0)
                ++n;
            if (label != before) {
                if (before >= 0) sums_.add_pixels(static_cast<std::size_t>(before), image_, at, n, -1);
                sums_.add_pixels(static_cast<std::size_t>(label), image_, at, n, 1);
                std::fill(labels + x, labels + x + n, label);
                n_changed += n;
            }
            x += n;
        }
        return n_changed;
    }

    [[nodiscard]] std::int32_t nearest_in_place(const TiledImage::At& at) const {
        const auto [z, y] = image_.line(at.tile, at.row);
        const Place3 own{static_cast<std::int64_t>(z), static_cast<std::int64_t>(y),
                         static_cast<std::int64_t>(image_.tile(at.tile).first[2] + at.lane)};
        std::size_t best = 0;
        std::int64_t least = INT64_MAX;
        for (std::size_t k = 0; k < fit_.centers.size(); ++k) {
            std::int64_t distance = 0;
            for (std::size_t a = 0; a < 3; ++a) distance += square(fit_.centers.places[k][a] - own[a]);
            if (distance >= least) continue;
            least = distance;
            best = k;
        }
        return static_cast<std::int32_t>(best);
    }

    void note_uniform(std::size_t t, std::size_t n_changed) {
        if (n_changed == 0) return;
        const std::int32_t* labels = fit_.labels.data() + t * kTilePixels;
        std::int32_t one = -1;
        for (std::size_t i = 0; i < kTilePixels; ++i) {
            if (labels[i] < 0 || labels[i] == one) continue;
            if (one >= 0) {
                fit_.uniform[t] = kMixed;
                return;
            }
            one = labels[i];
        }
        fit_.uniform[t] = one;
    }

    Fit& fit_;
    const TiledImage& image_;
    Sums& sums_;
    std::vector<Candidate> candidates_;
    std::array<Distance, kTilePixels> distances_{};
    std::array<Distance, kTilePixels> least_{};
    std::array<std::int32_t, kTilePixels> nearest_{};
};

template <class Distance>
std::size_t assign_all(Fit& fit, Workspace& workspace, const Parallel& parallel) {
    fit.cells.fill(fit.centers.places);
    return count_in_blocks(fit.image.n_tiles(), kTilesAtOnce, parallel, [&] {
        return [worker = TileWorker<Distance>(fit, workspace.take())](std::size_t first,
                                                                      std::size_t count) mutable {
            std::size_t n_changed = 0;
            for (std::size_t t = first; t < first + count; ++t) n_changed += worker(t);
            return n_changed;
        };
    });
}

}  // namespace

std::size_t assign(Fit& fit, Workspace& workspace, const Parallel& parallel) {
    return fit.scale.narrow ? assign_all<std::int32_t>(fit, workspace, parallel)
                            : assign_all<std::int64_t>(fit, workspace, parallel);
}

}  // namespace kmosaic::superpixel
