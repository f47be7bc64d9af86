#include "extras/superpixels.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <mutex>

namespace kmosaic {

namespace {

constexpr std::size_t kTilesAtOnce = 32;
constexpr std::int64_t kNarrowFar = std::int64_t{1} << 30;
constexpr std::int64_t kWideFar = std::int64_t{1} << 61;
// Places within a step of the seeds are told apart by at least so many coordinates where distances are narrow.
constexpr double kNarrowResolution = 64;
constexpr int kMaxShift = 24;
// How far a tile goes beyond a window that touches it, at most.
constexpr std::int64_t kTileReach = 17;

template <class Distance>
constexpr Distance far() {
    return static_cast<Distance>(sizeof(Distance) == 4 ? kNarrowFar : kWideFar);
}

std::int64_t square(std::int64_t x) {
    return x * x;
}

// numerator / denominator rounded, for numerators of at least 0.
std::int64_t rounded_ratio(std::int64_t numerator, std::int64_t denominator) {
    return (2 * numerator + denominator) / (2 * denominator);
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

// A centre that a tile's pixels may be nearest to.
struct Candidate {
    std::uint32_t center;
    bool whole;  // its window holds all of the tile
    std::int64_t least;
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

template <class Distance>
std::size_t assign(Fit& fit, Workspace& workspace, const Parallel& parallel) {
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

// A centre without pixels stays where it is.
void update(Fit& fit, const Sums& sums) {
    for (std::size_t k = 0; k < fit.centers.size(); ++k) {
        const std::int64_t* sum = sums.of(k);
        if (sum[0] == 0) continue;
        std::int64_t* point = fit.centers.point(k);
        for (std::size_t a = 0; a < 3; ++a) {
            fit.centers.places[k][a] = rounded_ratio(sum[1 + a], sum[0]);
            const double mean = static_cast<double>(sum[1 + a]) / static_cast<double>(sum[0]);
            point[a] = std::llround(fit.scale.scale[a] * mean);
        }
        for (std::size_t c = 0; c < fit.image.n_channels(); ++c)
            point[3 + c] = rounded_ratio(sum[4 + c], sum[0]);
    }
}

// The largest squared colour distance of each centre's pixels.
void widen(const Fit& fit, std::vector<std::int64_t>& largest, const Parallel& parallel) {
    std::mutex mutex;
    const std::size_t n_channels = fit.image.n_channels();
    parallel_blocks(fit.image.n_tiles(), kTilesAtOnce * 8, parallel, [&] {
        return [&, own = std::vector<std::int64_t>()](std::size_t first, std::size_t count) mutable {
            own.assign(fit.centers.size(), 0);
            for (std::size_t i = first * kTilePixels; i < (first + count) * kTilePixels; ++i) {
                if (fit.labels[i] < 0) continue;
                const auto k = static_cast<std::size_t>(fit.labels[i]);
                const std::size_t t = i / kTilePixels;
                const std::size_t row = i / kTileLanes % kTileRows;
                std::int64_t sum = 0;
                for (std::size_t c = 0; c < n_channels; ++c)
                    sum += square(fit.image.lanes(t, row, c)[i % kTileLanes] - fit.centers.point(k)[3 + c]);
                own[k] = std::max(own[k], sum);
            }
            const std::lock_guard lock(mutex);
            for (std::size_t k = 0; k < own.size(); ++k) largest[k] = std::max(largest[k], own[k]);
        };
    });
}

void weigh(Fit& fit, const std::vector<std::int64_t>& largest) {
    const double floor = fit.options.zero_floor * fit.options.zero_floor;
    for (std::size_t k = 0; k < fit.centers.size(); ++k) {
        const double share = floor / std::max(floor, static_cast<double>(largest[k]));
        fit.centers.factors[k] =
            std::max<std::int64_t>(1, std::llround(static_cast<double>(fit.scale.factor) * share));
    }
}

// The mean of the pixels inside within a quarter of the window's reach; of all of them where there is none.
void place_seed(Fit& fit, std::size_t k, const Place3& seed, const Sums& all) {
    Sums own(1, fit.image.n_channels());
    Place3 from{};
    Place3 to{};
    for (std::size_t a = 0; a < 3; ++a) {
        const std::int64_t reach = fit.options.reach[a] / 8;
        from[a] = std::max<std::int64_t>(0, seed[a] - reach);
        to[a] = std::min(static_cast<std::int64_t>(fit.image.shape()[a]) - 1, seed[a] + reach);
    }
    for (std::int64_t z = from[0]; z <= to[0]; ++z)
        for (std::int64_t y = from[1]; y <= to[1]; ++y)
            for (std::int64_t x = from[2]; x <= to[2]; ++x) {
                const TiledImage::At at = fit.image.at({z, y, x});
                if (fit.image.inside(at.tile, at.row)[at.lane]) own.add_pixels(0, fit.image, at, 1, 1);
            }
    const std::int64_t* sum = own.of(0)[0] > 0 ? own.of(0) : all.of(0);
    fit.centers.places[k] = seed;
    std::int64_t* point = fit.centers.point(k);
    for (std::size_t a = 0; a < 3; ++a)
        point[a] = fit.scale.coordinates[a][static_cast<std::size_t>(seed[a])];
    for (std::size_t c = 0; c < fit.image.n_channels(); ++c)
        point[3 + c] = sum[0] > 0 ? rounded_ratio(sum[4 + c], sum[0]) : 0;
}

void place_seeds(Fit& fit, const std::vector<Place3>& seeds) {
    Sums all(1, fit.image.n_channels());
    for (std::size_t t = 0; t < fit.image.n_tiles(); ++t) all.add_tile(0, fit.image, t, 1);
    for (std::size_t k = 0; k < seeds.size(); ++k) place_seed(fit, k, seeds[k], all);
}

}  // namespace

SlicScale::SlicScale(const TiledImage& image, const SlicOptions& options) {
    double colours = 0;
    for (std::size_t c = 0; c < image.n_channels(); ++c) {
        int low = kMaxFeature;
        int high = 0;
        for (std::size_t t = 0; t < image.n_tiles(); ++t) {
            low = std::min<int>(low, image.low(t)[c]);
            high = std::max<int>(high, image.high(t)[c]);
        }
        colours += static_cast<double>(square(std::max(0, high - low)));
    }
    double places = 0;
    bool fine = true;
    for (std::size_t a = 0; a < 3; ++a) {
        // So many that no colour matters any more.
        const auto reach = static_cast<double>(options.reach[a] + kTileReach);
        scale[a] = std::min(options.scale[a], 0x1p28 / reach);
        if (image.shape()[a] == 1) continue;
        const double most = scale[a] * reach + 2;
        places += most * most;
        fine = fine && scale[a] * static_cast<double>(options.reach[a]) >= 2 * kNarrowResolution;
    }
    narrow = options.zero_floor == 0 && fine && colours + places < static_cast<double>(kNarrowFar);
    int shift = narrow ? 0 : kMaxShift;
    while (shift > 0 && std::ldexp(colours + places, 2 * shift) >= static_cast<double>(kWideFar) / 2) --shift;
    factor = std::int64_t{1} << (2 * shift);
    for (std::size_t a = 0; a < 3; ++a) {
        scale[a] = std::ldexp(scale[a], shift);
        for (std::size_t x = 0; x < image.shape()[a]; ++x)
            coordinates[a].push_back(std::llround(scale[a] * static_cast<double>(x)));
    }
}

std::size_t slic(const TiledImage& image, const std::vector<Place3>& seeds, const SlicOptions& options,
                 std::int32_t* labels, const Parallel& parallel) {
    const SlicScale scale(image, options);
    Fit fit{image, options, scale, {image.n_channels(), {}, {}, {}}, {image.shape(), options.reach}, {}, {}};
    fit.centers.places.resize(seeds.size());
    fit.centers.points.resize(seeds.size() * (3 + image.n_channels()));
    fit.centers.factors.assign(seeds.size(), scale.factor);
    fit.labels.assign(image.n_tiles() * kTilePixels, -1);
    fit.uniform.assign(image.n_tiles(), -1);
    place_seeds(fit, seeds);
    Workspace workspace(seeds.size(), image.n_channels());
    Sums sums(seeds.size(), image.n_channels());
    std::vector<std::int64_t> largest(seeds.size());
    std::size_t iteration = 0;
    while (iteration < options.max_iter) {
        ++iteration;
        const std::size_t n_changed = scale.narrow ? assign<std::int32_t>(fit, workspace, parallel)
                                                   : assign<std::int64_t>(fit, workspace, parallel);
        if (n_changed == 0 || iteration == options.max_iter) break;
        workspace.add_to(sums);
        update(fit, sums);
        if (options.zero_floor > 0) {
            widen(fit, largest, parallel);
            weigh(fit, largest);
        }
    }
    image.untile(fit.labels.data(), labels, parallel);
    return iteration;
}

}  // namespace kmosaic
