// The image distortion model: as its definition has it, on every instruction set.
#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "extras/image_distortion.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

struct Images {
    std::vector<std::int8_t> values;
    GradientImages view;
};

Images any_images(std::size_t n, std::size_t height, std::size_t width, Random& random) {
    Images images;
    for (std::size_t i = 0; i < n * kGradientPlanes * height * width; ++i)
        images.values.push_back(static_cast<std::int8_t>(static_cast<int>(below(random, 61)) - 30));
    images.view = {images.values.data(), n, height, width};
    return images;
}

// Pixel by pixel, shift by shift.
class Slow {
  public:
    Slow(const GradientImages& image, const GradientImages& reference)
        : image_(image), reference_(reference) {}

    [[nodiscard]] std::int64_t operator()(std::size_t a, std::size_t b, int warp) const {
        std::int64_t sum = 0;
        for (int y = 0; y < static_cast<int>(image_.height); ++y)
            for (int x = 0; x < static_cast<int>(image_.width); ++x) {
                std::int64_t least = INT64_MAX;
                for (int dy = -warp; dy <= warp; ++dy)
                    for (int dx = -warp; dx <= warp; ++dx)
                        least = std::min(least, context(a, b, {y, x, dy, dx}));
                sum += least;
            }
        return sum;
    }

  private:
    struct Place {
        int y, x, dy, dx;
    };

    static int at(const GradientImages& images, std::size_t i, std::size_t plane, int y, int x) {
        if (y < 0 || x < 0 || y >= static_cast<int>(images.height) || x >= static_cast<int>(images.width))
            return 0;
        return images.image(i)[(plane * images.height + static_cast<std::size_t>(y)) * images.width +
                               static_cast<std::size_t>(x)];
    }

    [[nodiscard]] std::int64_t context(std::size_t a, std::size_t b, const Place& p) const {
        std::int64_t sum = 0;
        for (std::size_t plane = 0; plane < kGradientPlanes; ++plane)
            for (int i = -1; i <= 1; ++i)
                for (int j = -1; j <= 1; ++j) {
                    const int d = at(image_, a, plane, p.y + i, p.x + j) -
                                  at(reference_, b, plane, p.y + p.dy + i, p.x + p.dx + j);
                    sum += d * d;
                }
        return sum;
    }

    const GradientImages& image_;
    const GradientImages& reference_;
};

TEST(as_its_definition_has_it_on_every_instruction_set) {
    Random random(3);
    struct Size {
        std::size_t height, width, warp;
    };
    for (const Size& s : {Size{1, 1, 2}, Size{1, 9, 1}, Size{7, 1, 3}, Size{5, 6, 0}, Size{28, 28, 2},
                          Size{9, 31, 2}, Size{6, 65, 3}}) {
        const Images images = any_images(3, s.height, s.width, random);
        const Images references = any_images(4, s.height, s.width, random);
        const std::vector<std::int32_t> candidates = {0, 3, 1, 1, 2, 0};
        const Slow slow(images.view, references.view);
        for (const std::string& name : supported_variants()) {
            select_kernels(name);
            for (const std::size_t n_threads : {1U, 3U}) {
                context() = name + " " + std::to_string(s.height) + " x " + std::to_string(s.width);
                std::vector<std::int64_t> out(6, -1);
                const Parallel parallel{n_threads, [] { return false; }};
                distortions(images.view, references.view, {candidates.data(), 2}, {s.warp}, {out.data()},
                            parallel);
                for (std::size_t p = 0; p < 6; ++p)
                    CHECK(out[p] ==
                          slow(p / 2, static_cast<std::size_t>(candidates[p]), static_cast<int>(s.warp)));
            }
        }
    }
}

// Strokes of noise amid blank rows, such that images lie near and far.
Images strokes(std::size_t n, std::size_t height, std::size_t width, Random& random) {
    Images images = any_images(n, height, width, random);
    for (std::size_t row = 0; row < n * kGradientPlanes * height; ++row) {
        const std::size_t first = 2 + row / height / kGradientPlanes % 3;  // the same in both planes
        if (row % height >= first && row % height < height - first) continue;
        std::fill_n(images.values.begin() + static_cast<std::ptrdiff_t>(row * width), width, std::int8_t{0});
    }
    images.view = {images.values.data(), n, height, width};
    return images;
}

struct Pairs {
    std::vector<std::int64_t> forth;
    std::vector<std::int64_t> back;
};

// Keeps the `wanted` least of each row.
std::vector<std::int64_t> nearest_of(std::vector<std::int64_t> rows, std::size_t length, std::size_t wanted) {
    for (auto row = rows.begin(); row != rows.end(); row += static_cast<std::ptrdiff_t>(length)) {
        const auto end = row + static_cast<std::ptrdiff_t>(length);
        std::vector<std::int64_t> sorted(row, end);
        std::sort(sorted.begin(), sorted.end());
        const std::int64_t most = sorted[std::min(wanted, length) - 1];
        std::replace_if(row, end, [=](std::int64_t d) { return d > most; }, kFartherThanNearest);
    }
    return rows;
}

TEST(the_nearest_alone_are_measured_to_their_end) {
    Random random(5);
    constexpr std::size_t kCandidates = 9;
    for (const std::size_t width : {std::size_t{11}, std::size_t{28}, std::size_t{70}}) {
        const Images images = strokes(4, 13, width, random);
        const Images references = strokes(12, 13, width, random);
        std::vector<std::int32_t> candidates;
        for (std::size_t p = 0; p < 4 * kCandidates; ++p)
            candidates.push_back(
                static_cast<std::int32_t>(below(random, 12)));  // some twice: equal distances
        const Slow forth(images.view, references.view);
        const Slow back(references.view, images.view);
        Pairs slow;
        for (std::size_t p = 0; p < candidates.size(); ++p) {
            const auto candidate = static_cast<std::size_t>(candidates[p]);
            slow.forth.push_back(forth(p / kCandidates, candidate, 2));
            slow.back.push_back(back(candidate, p / kCandidates, 2));
        }
        for (const std::string& name : supported_variants()) {
            select_kernels(name);
            for (const std::size_t wanted :
                 {std::size_t{1}, std::size_t{3}, std::size_t{9}, std::size_t{20}}) {
                context() = name + " " + std::to_string(width) + " wide, nearest " + std::to_string(wanted);
                Pairs found{std::vector<std::int64_t>(candidates.size(), -1),
                            std::vector<std::int64_t>(candidates.size(), -1)};
                const Parallel parallel{2, [] { return false; }};
                distortions(images.view, references.view, {candidates.data(), kCandidates}, {2, wanted},
                            {found.forth.data(), found.back.data()}, parallel);
                CHECK(found.forth == nearest_of(slow.forth, kCandidates, wanted));
                CHECK(found.back == nearest_of(slow.back, kCandidates, wanted));
            }
        }
    }
}

TEST(blank_rows_cost_what_they_should) {
    Random random(6);
    Images images = any_images(6, 12, 9, random);
    for (std::size_t i = 1; i < 6; ++i)  // 1: blank; 2 and 3: the upper or the lower part; 4 and 5: a row
        for (std::size_t row = 0; row < kGradientPlanes * 12; ++row) {
            const std::size_t y = row % 12;
            const bool kept =
                (i == 2 && y < 4) || (i == 3 && y > 7) || (i == 4 && y == 0) || (i == 5 && y == 6);
            if (!kept)
                std::fill_n(images.values.begin() + static_cast<std::ptrdiff_t>((i * 24 + row) * 9), 9,
                            std::int8_t{0});
        }
    std::vector<std::int32_t> candidates;
    for (int i = 0; i < 36; ++i) candidates.push_back(i % 6);
    const Slow slow(images.view, images.view);
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for (const std::size_t warp : {std::size_t{0}, std::size_t{1}, std::size_t{5}}) {
            context() = name + " warp " + std::to_string(warp);
            std::vector<std::int64_t> out(36, -1);
            const Parallel parallel{1, [] { return false; }};
            distortions(images.view, images.view, {candidates.data(), 6}, {warp}, {out.data()}, parallel);
            for (std::size_t p = 0; p < 36; ++p) CHECK(out[p] == slow(p / 6, p % 6, static_cast<int>(warp)));
        }
    }
}

TEST(the_largest_differences_fit_in_sixteen_bits) {
    Random random(0);
    Images bright = any_images(1, 8, 8, random);
    Images dark = bright;
    std::fill(bright.values.begin(), bright.values.end(), std::int8_t{kLargestGradient});
    std::fill(dark.values.begin(), dark.values.end(), std::int8_t{-kLargestGradient});
    bright.view.data = bright.values.data();
    dark.view.data = dark.values.data();
    const std::int32_t candidate = 0;
    std::int64_t out = 0;
    const Parallel parallel{1, [] { return false; }};
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        context() = name;
        distortions(bright.view, dark.view, {&candidate, 1}, {0}, {&out}, parallel);
        CHECK(out == Slow(bright.view, dark.view)(0, 0, 0));
        CHECK(out > 36 * 64800);  // all inner pixels have the most there can be
    }
}

TEST(distortions_stop_amid_a_block) {
    Random random(4);
    const Images images = any_images(4, 40, 40, random);
    const std::vector<std::int32_t> candidates = {0, 1, 2, 3};
    std::vector<std::int64_t> out(4, -1);
    int asked = 0;
    const Parallel parallel{1, [&] { return ++asked == 3; }};
    const std::string message = message_of<Interrupted>(
        [&] { distortions(images.view, images.view, {candidates.data(), 1}, {2}, {out.data()}, parallel); });
    CHECK(message == "interrupted");
    CHECK(out.front() == 0 && out.back() == -1);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
