// Colours as points of a space in which k-means works: sRGB, linear light or Oklab, in integers.
//
// B. Ottosson (2020), "A perceptual color space for image processing": Oklab. All coordinates are whole
// multiples of 2^-14, found by integer arithmetic alone, so that every machine has the same.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/parallel.hpp"

namespace kmosaic {

enum class Space { kSrgb, kLinear, kOklab };

// Values of a pixel: RGB or RGBA, not premultiplied; of 8 or 16 bits.
struct Pixels {
    const void* data;
    std::size_t n_pixels;
    std::size_t n_channels;
    bool deep;
};

constexpr int kUnitBits = 14;
constexpr std::int32_t kUnit = 1 << kUnitBits;
// What a and b of Oklab have added, so that they are not below zero.
constexpr std::int32_t kChromaOffset = 1 << 13;

class ColourSpace {
  public:
    ColourSpace(Space space, bool deep);

    // Writes n_channels coordinates a pixel. Those of RGBA are premultiplied, and alpha is the last.
    void convert(const Pixels& pixels, std::size_t first, std::size_t count, std::uint16_t* out) const;

    // What holds the points of all colours, lowest and highest coordinates.
    [[nodiscard]] std::array<std::array<std::int32_t, 3>, 2> gamut() const;

    // The same for all pixels.
    void convert(const Pixels& pixels, std::uint16_t* out, const Parallel& parallel) const;

    // Linear light of every value, in multiples of 2^-20.
    [[nodiscard]] const std::vector<std::int32_t>& linear() const { return linear_; }

    // 2^16 times the cube root of value / 2^20, for 0 <= value <= 2^20.
    [[nodiscard]] std::int32_t cube_root(std::int32_t value) const;

  private:
    struct Point {
        std::int32_t at[3];
    };

    template <class T>
    void convert_as(const T* values, std::size_t n, std::size_t n_channels, std::uint16_t* out) const;
    template <class T>
    [[nodiscard]] Point point(const T* values) const;
    [[nodiscard]] Point oklab(std::int64_t red, std::int64_t green, std::int64_t blue) const;

    Space space_;
    std::vector<std::int32_t> linear_;
    std::vector<std::int32_t> dark_roots_;  // of every value below 2^14, where the root is steep
    std::vector<std::int32_t> roots_;       // of every 64th value
};

}  // namespace kmosaic
