// Superpixels against a slow SLIC that compares every pixel with every centre; regions against flood filling.
#include <algorithm>
#include <cmath>
#include <deque>
#include <set>

#include "check.hpp"
#include "extras/regions.hpp"
#include "extras/superpixels.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

struct Case {
    Extent shape;
    std::size_t n_channels;
    std::uint16_t largest;
    std::size_t n_seeds;
    SlicOptions options;
    bool masked;
};

// Lives in memory that ends where the values end.
struct Sample {
    Sample(const Case& one, Random& random)
        : values(volume(one.shape) * one.n_channels), inside(volume(one.shape)) {
        for (std::size_t i = 0; i < inside.size(); ++i) {
            inside[i] = !one.masked || below(random, 3) > 0;
            for (std::size_t c = 0; c < one.n_channels; ++c)  // patches and noise
                values[i * one.n_channels + c] = static_cast<std::uint16_t>(
                    (i / 7 * 7919 % 3 * one.largest / 3 + below(random, one.largest / 3 + 1)));
        }
        for (std::size_t k = 0; k < one.n_seeds; ++k) {
            Place3 place{};
            for (std::size_t a = 0; a < 3; ++a)
                place[a] = static_cast<std::int64_t>(below(random, one.shape[a]));
            seeds.push_back(place);
        }
    }
    [[nodiscard]] FeatureImage image(const Case& one) const {
        return {values.data(), one.shape, one.n_channels, one.masked ? inside.data() : nullptr};
    }

    Values<std::uint16_t> values;
    Values<std::uint8_t> inside;
    std::vector<Place3> seeds;
};

// The definition, word by word.
class Oracle {
  public:
    Oracle(const Case& one, const Sample& sample)
        : case_(one), sample_(sample), tiled_(sample.image(one), threads(1)), scale_(tiled_, one.options) {}

    std::vector<std::int32_t> labels() {
        place_seeds();
        std::vector<std::int32_t> labels(volume(case_.shape), -1);
        for (std::size_t i = 0; i < case_.options.max_iter; ++i) {
            const std::vector<std::int32_t> before = labels;
            for (std::size_t p = 0; p < labels.size(); ++p)
                if (present(p)) labels[p] = nearest(p);
            if (labels == before) break;
            if (i + 1 < case_.options.max_iter) update(labels);
        }
        return labels;
    }

  private:
    struct Center {
        Place3 place{};
        Place3 point{};
        std::vector<std::int64_t> colour;
        std::int64_t factor = 0;
        std::int64_t largest = 0;
    };

    [[nodiscard]] bool present(std::size_t p) const { return !case_.masked || sample_.inside[p]; }
    [[nodiscard]] Place3 place(std::size_t p) const {
        const auto at = [](std::size_t x) { return static_cast<std::int64_t>(x); };
        return {at(p / (case_.shape[1] * case_.shape[2])), at(p / case_.shape[2] % case_.shape[1]),
                at(p % case_.shape[2])};
    }
    [[nodiscard]] std::int64_t colour_distance(std::size_t p, const Center& center) const {
        std::int64_t sum = 0;
        for (std::size_t c = 0; c < case_.n_channels; ++c) {
            const std::int64_t d = sample_.values[p * case_.n_channels + c] - center.colour[c];
            sum += d * d;
        }
        return sum;
    }

    [[nodiscard]] std::int32_t nearest(std::size_t p) const {
        const Place3 own = place(p);
        std::int64_t least = INT64_MAX;
        std::int64_t least_in_place = INT64_MAX;
        std::int32_t best = -1;
        std::int32_t best_in_place = -1;
        for (std::size_t k = 0; k < centers_.size(); ++k) {
            const Center& center = centers_[k];
            bool within = true;
            std::int64_t in_place = 0;
            std::int64_t distance = center.factor * colour_distance(p, center);
            for (std::size_t a = 0; a < 3; ++a) {
                const std::int64_t off = own[a] - center.place[a];
                within = within && std::abs(off) <= case_.options.reach[a];
                in_place += off * off;
                const std::int64_t d =
                    scale_.coordinates[a][static_cast<std::size_t>(own[a])] - center.point[a];
                if (within) distance += d * d;
            }
            if (within && distance < least) {
                least = distance;
                best = static_cast<std::int32_t>(k);
            }
            if (in_place < least_in_place) {
                least_in_place = in_place;
                best_in_place = static_cast<std::int32_t>(k);
            }
        }
        return best < 0 ? best_in_place : best;
    }

    // The rounded means of pixels for which `of` holds; false where there is none.
    template <class Of>
    bool take_mean(Center& center, bool places, Of of) {
        std::int64_t n = 0;
        Place3 sums{};
        std::vector<std::int64_t> colours(case_.n_channels);
        for (std::size_t p = 0; p < volume(case_.shape); ++p) {
            if (!present(p) || !of(p)) continue;
            ++n;
            for (std::size_t a = 0; a < 3; ++a) sums[a] += place(p)[a];
            for (std::size_t c = 0; c < case_.n_channels; ++c)
                colours[c] += sample_.values[p * case_.n_channels + c];
        }
        if (n == 0) return false;
        for (std::size_t c = 0; c < case_.n_channels; ++c) center.colour[c] = (2 * colours[c] + n) / (2 * n);
        for (std::size_t a = 0; places && a < 3; ++a) {
            center.place[a] = (2 * sums[a] + n) / (2 * n);
            const double mean = static_cast<double>(sums[a]) / static_cast<double>(n);
            center.point[a] = std::llround(scale_.scale[a] * mean);
        }
        return true;
    }

    void place_seeds() {
        for (const Place3& seed : sample_.seeds) {
            Center center{seed, {}, std::vector<std::int64_t>(case_.n_channels), scale_.factor, 0};
            for (std::size_t a = 0; a < 3; ++a)
                center.point[a] = scale_.coordinates[a][static_cast<std::size_t>(seed[a])];
            const auto near = [&](std::size_t p) {
                for (std::size_t a = 0; a < 3; ++a)
                    if (std::abs(place(p)[a] - seed[a]) > case_.options.reach[a] / 8) return false;
                return true;
            };
            if (!take_mean(center, false, near)) take_mean(center, false, [](std::size_t) { return true; });
            centers_.push_back(center);
        }
    }

    void update(const std::vector<std::int32_t>& labels) {
        for (std::size_t k = 0; k < centers_.size(); ++k)
            take_mean(centers_[k], true,
                      [&](std::size_t p) { return labels[p] == static_cast<std::int32_t>(k); });
        if (case_.options.zero_floor == 0) return;
        for (std::size_t p = 0; p < labels.size(); ++p)
            if (labels[p] >= 0) {
                Center& center = centers_[static_cast<std::size_t>(labels[p])];
                center.largest = std::max(center.largest, colour_distance(p, center));
            }
        const double floor = case_.options.zero_floor * case_.options.zero_floor;
        for (Center& center : centers_) {
            const double share = floor / std::max(floor, static_cast<double>(center.largest));
            center.factor =
                std::max<std::int64_t>(1, std::llround(static_cast<double>(scale_.factor) * share));
        }
    }

    const Case& case_;
    const Sample& sample_;
    TiledImage tiled_;
    SlicScale scale_;
    std::vector<Center> centers_;
};

std::vector<Case> cases() {
    return {
        {{1, 37, 50}, 3, 16384, 20, {{100, 100, 100}, {2, 20, 24}, 10}, false},    // narrow
        {{1, 37, 50}, 3, 16384, 20, {{100, 100, 100}, {2, 20, 24}, 10}, true},     // with a mask
        {{1, 64, 80}, 1, 30, 9, {{0.01, 0.01, 0.01}, {2, 60, 60}, 6}, false},      // wide: hardly any place
        {{1, 20, 33}, 8, 32767, 12, {{9000, 9000, 9000}, {2, 12, 12}, 5}, false},  // wide: hardly any colour
        {{1, 20, 33}, 3, 9000, 12, {{1e12, 1e12, 1e12}, {2, 12, 12}, 5}, false},   // no colour at all
        {{9, 17, 35}, 2, 16384, 30, {{300, 150, 150}, {4, 8, 9}, 8}, true},        // a volume
        {{1, 40, 40}, 3, 16384, 25, {{150, 150, 150}, {2, 16, 16}, 8, 1500}, false},  // SLICO
        {{6, 10, 21}, 1, 5000, 40, {{80, 80, 80}, {1, 1, 1}, 5}, false},  // windows of three pixels
        {{1, 1, 1}, 4, 100, 1, {{1, 1, 1}, {1, 1, 1}, 3}, false},
        {{1, 18, 40}, 3, 0, 6, {{50, 50, 50}, {2, 14, 14}, 10}, false},  // one colour
    };
}

TEST(labels_are_those_of_all_centres_compared) {
    Random random(1);
    int number = 0;
    for (const Case& one : cases()) {
        const Sample sample(one, random);
        const std::vector<std::int32_t> expected = Oracle(one, sample).labels();
        for (const std::size_t n : {1U, 2U, 7U}) {
            const TiledImage image(sample.image(one), threads(n));
            std::vector<std::int32_t> found(expected.size(), 99);
            slic(image, sample.seeds, one.options, found.data(), threads(n));
            context() = "case " + std::to_string(number) + ", threads " + std::to_string(n);
            CHECK(found == expected);
        }
        ++number;
    }
}

TEST(both_scales_are_tested) {
    Random random(2);
    std::set<bool> seen;
    for (const Case& one : cases()) {
        const Sample sample(one, random);
        seen.insert(SlicScale(TiledImage(sample.image(one), threads(1)), one.options).narrow);
    }
    CHECK(seen.size() == 2);
}

// Flood fills one region, all of whose pixels must have its label; returns how many there are.
std::size_t flood(const Extent& shape, const std::vector<std::int32_t>& labels, std::size_t first,
                  std::vector<char>& seen) {
    std::deque<std::size_t> waiting{first};
    seen[first] = 1;
    std::size_t size = 0;
    const std::size_t strides[3] = {shape[1] * shape[2], shape[2], 1};
    while (!waiting.empty()) {
        const std::size_t p = waiting.front();
        waiting.pop_front();
        ++size;
        for (std::size_t a = 0; a < 3; ++a) {
            const std::size_t at = p / strides[a] % shape[a];
            for (const std::size_t other :
                 {at > 0 ? p - strides[a] : p, at + 1 < shape[a] ? p + strides[a] : p}) {
                if (seen[other] || labels[other] != labels[p]) continue;
                seen[other] = 1;
                waiting.push_back(other);
            }
        }
    }
    return size;
}

TEST(regions_are_connected_numbered_and_large_enough) {
    Random random(3);
    for (const Extent shape : {Extent{1, 40, 61}, Extent{5, 18, 23}, Extent{1, 1, 1}})
        for (const bool masked : {false, true})
            for (const RegionSizes sizes :
                 {RegionSizes{0, SIZE_MAX}, RegionSizes{9, 200}, RegionSizes{60, 90}}) {
                const Case one{shape, 2, 900, 1, {}, masked};
                const Sample sample(one, random);
                const TiledImage image(sample.image(one), threads(2));
                std::vector<std::int32_t> before(volume(shape));
                for (std::size_t p = 0; p < before.size(); ++p)
                    before[p] = masked && !sample.inside[p]
                                    ? -1
                                    : static_cast<std::int32_t>(p / 13 % 4 + below(random, 2));
                std::vector<std::int32_t> labels = before, many = before;
                const std::size_t n = connect_regions(image, sizes, labels.data(), threads(1));
                connect_regions(image, sizes, many.data(), threads(5));
                CHECK(labels == many);
                std::vector<char> seen(labels.size());
                std::int32_t next = 0;
                std::size_t cut = 0;
                for (std::size_t p = 0; p < labels.size(); ++p) {
                    CHECK((labels[p] < 0) == (before[p] < 0));
                    if (labels[p] < 0 || seen[p]) continue;
                    CHECK(labels[p] ==
                          next++);  // another part of a label seen before would have a lower number
                    const std::size_t size = flood(shape, labels, p, seen);
                    // What a mask leaves alone may be small.
                    CHECK(masked || size >= std::min(sizes.least, labels.size()));
                    cut += size > sizes.most + 2 * sizes.least;
                }
                CHECK(static_cast<std::size_t>(next) == n);
                context() = std::to_string(sizes.least);
                CHECK(sizes.least > 9 || cut == 0);
                if (sizes.least > 0) continue;
                for (std::size_t p = 1; p < labels.size(); ++p)  // nothing joined, nothing cut
                    if (p % shape[2] != 0 && before[p] >= 0 && before[p - 1] >= 0)
                        CHECK((before[p] == before[p - 1]) == (labels[p] == labels[p - 1]));
            }
}

TEST(a_small_region_joins_the_nearest_mean) {
    // Grounds of 10 and 60 beside each other, and a speck of 50 within the first, at the border.
    const Extent shape{1, 6, 8};
    Values<std::uint16_t> values(48);
    std::vector<std::int32_t> labels(48);
    for (std::size_t p = 0; p < 48; ++p) {
        values[p] = p % 8 < 4 ? 10 : 60;
        labels[p] = p % 8 < 4 ? 3 : 5;
    }
    values[19] = 50;
    labels[19] = 9;
    const TiledImage image({values.data(), shape, 1, nullptr}, threads(1));
    CHECK(connect_regions(image, {3, 100}, labels.data(), threads(1)) == 2);
    CHECK(labels[19] == 1);
    CHECK(labels[18] == 0);
}

TEST(it_can_be_stopped) {
    Random random(4);
    const Case one{{1, 200, 300}, 1, 900, 40, {{9, 9, 9}, {2, 80, 80}, 10}, false};
    const Sample sample(one, random);
    const TiledImage image(sample.image(one), threads(1));
    std::vector<std::int32_t> labels(60000);
    int asked = 0;
    const Parallel parallel{1, [&] { return ++asked == 5; }};
    const std::string message =
        message_of<Interrupted>([&] { slic(image, sample.seeds, one.options, labels.data(), parallel); });
    CHECK(message == "interrupted");
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
