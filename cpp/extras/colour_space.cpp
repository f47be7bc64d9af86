#include "extras/colour_space.hpp"

#include <cmath>

namespace kmosaic {

namespace {

constexpr int kLinearBits = 20;
constexpr int kDarkBits = 14;
constexpr int kRootStepBits = 6;
constexpr std::size_t kBlockPixels = 1 << 14;

// Ottosson's matrices times 2^24 and 2^16. The rows of the first add up to one, those of the second to one,
// zero and zero, without a remainder: greys have no chroma.
constexpr std::int64_t kToCones[3][3] = {
    {6915929, 8998166, 863121}, {3555151, 11420243, 1801822}, {1481469, 4726458, 10569289}};
constexpr std::int64_t kFromCones[3][3] = {
    {13792, 52011, -267}, {129630, -159160, 29530}, {1698, 51300, -52998}};

constexpr std::int64_t rounded_shift(std::int64_t value, int bits) {
    return (value + (std::int64_t{1} << (bits - 1))) >> bits;
}

// Near enough to none of the values is a tie for the rounding of pow to matter: see the test.
std::int32_t linear_light(double value) {
    const double light = value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
    return static_cast<std::int32_t>(std::floor(light * (1 << kLinearBits) + 0.5));
}

// The whole number nearest to 2^16 cbrt(value / 2^20), exactly.
std::int32_t rounded_root(std::int64_t value) {
    const std::int64_t cube = value << 31;  // (2^17 cbrt(value / 2^20))^3
    auto root = static_cast<std::int64_t>(std::cbrt(static_cast<double>(value << 28)));
    const auto too_large = [&](std::int64_t r) { return (2 * r - 1) * (2 * r - 1) * (2 * r - 1) > cube; };
    while (root > 0 && too_large(root)) --root;
    while (!too_large(root + 1)) ++root;
    return static_cast<std::int32_t>(root);
}

std::uint16_t premultiplied(std::int32_t value, std::int32_t origin, std::int64_t alpha, std::int64_t full) {
    const std::int64_t product = (value - origin) * alpha;
    const std::int64_t half = product < 0 ? -full / 2 : full / 2;
    return static_cast<std::uint16_t>(origin + (product + half) / full);
}

}  // namespace

ColourSpace::ColourSpace(Space space, bool deep) : space_(space) {
    const int n_values = deep ? 65536 : 256;
    for (int v = 0; v < n_values; ++v)
        linear_.push_back(linear_light(static_cast<double>(v) / (n_values - 1)));
    for (std::int64_t v = 0; v < 1 << kDarkBits; ++v) dark_roots_.push_back(rounded_root(v));
    for (std::int64_t v = 0; v <= (1 << (kLinearBits - kRootStepBits)) + 1; ++v)
        roots_.push_back(rounded_root(v << kRootStepBits));
}

std::int32_t ColourSpace::cube_root(std::int32_t value) const {
    if (value < 1 << kDarkBits) return dark_roots_[static_cast<std::size_t>(value)];
    const auto step = static_cast<std::size_t>(value >> kRootStepBits);
    const std::int32_t within = value & ((1 << kRootStepBits) - 1);
    const std::int32_t rise = roots_[step + 1] - roots_[step];
    return roots_[step] + ((rise * within + (1 << (kRootStepBits - 1))) >> kRootStepBits);
}

ColourSpace::Point ColourSpace::oklab(std::int64_t red, std::int64_t green, std::int64_t blue) const {
    std::int64_t root[3];
    for (int i = 0; i < 3; ++i) {
        const std::int64_t* cone = kToCones[i];
        root[i] = cube_root(
            static_cast<std::int32_t>(rounded_shift(cone[0] * red + cone[1] * green + cone[2] * blue, 24)));
    }
    Point point{};
    for (int i = 0; i < 3; ++i) {
        const std::int64_t* row = kFromCones[i];
        point.at[i] = static_cast<std::int32_t>(
            rounded_shift(row[0] * root[0] + row[1] * root[1] + row[2] * root[2], 18));
    }
    point.at[1] += kChromaOffset;
    point.at[2] += kChromaOffset;
    return point;
}

// Chroma is largest at the corners of the RGB cube, within -0.24 .. 0.28 and -0.32 .. 0.20.
std::array<std::array<std::int32_t, 3>, 2> ColourSpace::gamut() const {
    if (space_ != Space::kOklab) return {{{0, 0, 0}, {kUnit, kUnit, kUnit}}};
    return {{{0, kChromaOffset - 3932, kChromaOffset - 5243},
             {kUnit, kChromaOffset + 4588, kChromaOffset + 3277}}};
}

template <class T>
ColourSpace::Point ColourSpace::point(const T* values) const {
    if (space_ == Space::kOklab) return oklab(linear_[values[0]], linear_[values[1]], linear_[values[2]]);
    Point point{};
    for (int i = 0; i < 3; ++i) {
        if (space_ == Space::kLinear)
            point.at[i] =
                static_cast<std::int32_t>(rounded_shift(linear_[values[i]], kLinearBits - kUnitBits));
        else  // 255 is 255 * 64: values of 8 bits stay apart by the same distance
            point.at[i] = sizeof(T) == 1
                              ? values[i] * 64
                              : static_cast<std::int32_t>((std::int64_t{values[i]} * 16320 + 32767) / 65535);
    }
    return point;
}

template <class T>
void ColourSpace::convert_as(const T* values, std::size_t n, std::size_t n_channels,
                             std::uint16_t* out) const {
    constexpr std::int64_t kFull = sizeof(T) == 1 ? 255 : 65535;
    const std::int32_t origin = space_ == Space::kOklab ? kChromaOffset : 0;
    for (std::size_t i = 0; i < n; ++i, values += n_channels, out += n_channels) {
        const Point p = point(values);
        if (n_channels == 3) {
            for (int f = 0; f < 3; ++f) out[f] = static_cast<std::uint16_t>(p.at[f]);
            continue;
        }
        const std::int64_t alpha = values[3];
        out[0] = premultiplied(p.at[0], 0, alpha, kFull);
        out[1] = premultiplied(p.at[1], origin, alpha, kFull);
        out[2] = premultiplied(p.at[2], origin, alpha, kFull);
        out[3] = static_cast<std::uint16_t>((alpha * kUnit + kFull / 2) / kFull);
    }
}

void ColourSpace::convert(const Pixels& pixels, std::size_t first, std::size_t count,
                          std::uint16_t* out) const {
    const std::size_t start = first * pixels.n_channels;
    if (pixels.deep)
        convert_as(static_cast<const std::uint16_t*>(pixels.data) + start, count, pixels.n_channels, out);
    else
        convert_as(static_cast<const std::uint8_t*>(pixels.data) + start, count, pixels.n_channels, out);
}

void ColourSpace::convert(const Pixels& pixels, std::uint16_t* out, const Parallel& parallel) const {
    parallel_blocks(pixels.n_pixels, kBlockPixels, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            convert(pixels, first, count, out + first * pixels.n_channels);
        };
    });
}

}  // namespace kmosaic
