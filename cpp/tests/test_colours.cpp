// Colours: spaces in whole numbers, nearest colours of a palette, error diffusion.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "check.hpp"
#include "extras/colour_space.hpp"
#include "extras/dither.hpp"
#include "extras/merged_points.hpp"
#include "extras/palette_index.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

const Parallel kOneThread{1, [] { return false; }};

TEST(linear_light_is_near_no_tie_of_rounding) {
    for (const bool deep : {false, true}) {
        const ColourSpace space(Space::kLinear, deep);
        const double last = deep ? 65535 : 255;
        double nearest = 1;
        for (std::size_t v = 0; v < space.linear().size(); ++v) {
            const double value = static_cast<double>(v) / last;
            const double light = value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
            const double scaled = light * (1 << 20);
            nearest = std::min(nearest, std::abs(scaled - std::floor(scaled) - 0.5));
            CHECK(std::abs(space.linear()[v] - scaled) <= 0.5);
        }
        context() = "nearest tie " + std::to_string(nearest);
        CHECK(nearest > 1e-7);  // pow errs by less than 1e-9 here, on any machine
    }
}

TEST(cube_roots_are_rounded_or_nearly_so) {
    const ColourSpace space(Space::kOklab, false);
    for (std::int32_t v = 0; v <= 1 << 20; ++v) {
        const double root = std::cbrt(v / 1048576.0) * 65536;
        context() = std::to_string(v);
        CHECK(std::abs(space.cube_root(v) - root) < (v < 1 << 14 ? 0.5000001 : 1.6));
        CHECK(v == 0 || space.cube_root(v) >= space.cube_root(v - 1));
    }
}

std::vector<std::uint16_t> any_points(std::size_t n, std::size_t n_features, std::size_t spread,
                                      Random& random) {
    std::vector<std::uint16_t> points;
    for (std::size_t i = 0; i < n * n_features; ++i)
        points.push_back(static_cast<std::uint16_t>(below(random, spread + 1)));
    return points;
}

TEST(nearest_is_that_of_all_compared) {
    Random random(1);
    for (const std::size_t n_features : {3U, 4U})
        for (const std::size_t spread : {3U, 100U, 5000U, 16384U})
            for (const std::size_t k : {1U, 2U, 9U, 256U}) {
                const auto values = any_points(2000, n_features, spread, random);
                const auto colours = any_points(k, n_features, spread, random);
                const SpacePoints points{values.data(), 2000, n_features};
                const SpacePoints palette{colours.data(), k, n_features};
                std::vector<std::uint8_t> labels(2000);
                nearest_in_palette(points, palette, labels.data(), {2, [] { return false; }});
                context() = std::to_string(k) + " of " + std::to_string(spread);
                for (std::size_t i = 0; i < points.n_points; ++i) {
                    std::size_t best = 0;
                    for (std::size_t j = 1; j < k; ++j)
                        if (squared_distance(points[i], palette[j]) <
                            squared_distance(points[i], palette[best]))
                            best = j;
                    CHECK(labels[i] == best);
                }
            }
}

TEST(threads_and_strips_change_no_label) {
    Random random(2);
    for (const std::size_t n_channels : {3U, 4U})
        for (const bool deep : {false, true})
            for (const std::size_t width : {1U, 2U, 37U}) {
                const std::size_t n = width * (2 * kStripRows + 5);
                std::vector<std::uint8_t> bytes;
                for (std::size_t i = 0; i < n * n_channels * (deep ? 2 : 1); ++i)
                    bytes.push_back(static_cast<std::uint8_t>(below(random, i % 7 == 0 ? 256 : 40)));
                std::vector<std::uint16_t> words(n * n_channels);
                if (deep) std::memcpy(words.data(), bytes.data(), bytes.size());
                const void* data = deep ? static_cast<const void*>(words.data()) : bytes.data();
                const Picture picture{{data, n, n_channels, deep}, width};
                const ColourSpace space(Space::kOklab, deep);
                std::vector<std::uint16_t> points(n * n_channels);
                space.convert(picture.pixels, points.data(), kOneThread);
                const SpacePoints palette{points.data(), 5, n_channels};
                std::vector<std::uint8_t> one(n, 99), many(n, 98);
                const Diffusion how{200, 1500, 300};
                diffuse(picture, space, palette, how, one.data(), kOneThread);
                diffuse(picture, space, palette, how, many.data(), {7, [] { return false; }});
                CHECK(one == many);
                for (std::size_t i = 0; i < n; ++i) {
                    const bool clear = n_channels == 4 && points[i * 4 + 3] == 0;
                    CHECK(clear ? one[i] == 5 : one[i] < 5);
                }
            }
}

TEST(without_strength_labels_are_the_nearest) {
    Random random(3);
    std::vector<std::uint8_t> bytes(3 * 40 * 90);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(below(random, 256));
    const Picture picture{{bytes.data(), 3600, 3, false}, 40};
    const ColourSpace space(Space::kOklab, false);
    std::vector<std::uint16_t> points(bytes.size());
    space.convert(picture.pixels, points.data(), kOneThread);
    const SpacePoints palette{points.data(), 20, 3};
    std::vector<std::uint8_t> diffused(3600), nearest(3600);
    diffuse(picture, space, palette, {0, 1000, 0}, diffused.data(), kOneThread);
    nearest_in_palette({points.data(), 3600, 3}, palette, nearest.data(), kOneThread);
    CHECK(diffused == nearest);
}

TEST(merged_points_keep_their_counts) {
    Random random(4);
    for (const std::size_t n_features : {3U, 4U}) {
        const auto values = any_points(3000, n_features, 16384, random);
        const std::vector<std::int64_t> counts(3000, 3);
        for (const std::size_t most : {1U, 50U, 3000U}) {
            const MergedPoints merged = merge_points({values.data(), 3000, n_features}, counts.data(), most);
            std::int64_t total = 0;
            for (const std::int64_t count : merged.counts) total += count;
            CHECK(total == 9000);
            CHECK(merged.points.size() == merged.counts.size() * n_features);
            CHECK(merged.counts.size() <= std::max<std::size_t>(most, 16));
        }
    }
}

TEST(diffusion_can_be_stopped) {
    const std::vector<std::uint8_t> bytes(3 * 100 * 400, 7);
    const Picture picture{{bytes.data(), 40000, 3, false}, 100};
    const ColourSpace space(Space::kSrgb, false);
    const std::uint16_t grey[3] = {100, 100, 100};
    std::vector<std::uint8_t> labels(40000);
    int asked = 0;
    const Parallel parallel{1, [&] { return ++asked == 3; }};
    const std::string message = message_of<Interrupted>(
        [&] { diffuse(picture, space, {grey, 1, 3}, {100, 100, 0}, labels.data(), parallel); });
    CHECK(message == "interrupted");
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
