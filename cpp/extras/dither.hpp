// Error diffusion: every pixel gets the palette's colour nearest to its own plus what its neighbours' colours
// lacked.
//
// R. W. Floyd, L. Steinberg (1976), "An adaptive algorithm for spatial grey scale"; rows are taken in turns
// from the left and from the right. Everything is in whole numbers. Pictures are cut into strips of
// kStripRows rows, each of which begins kWarmUpRows above with rows that only prepare the error; so strips
// are independent, and threads change no label.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/parallel.hpp"
#include "extras/colour_space.hpp"
#include "extras/palette_index.hpp"

namespace kmosaic {

constexpr std::size_t kStripRows = 64;
constexpr std::size_t kWarmUpRows = 8;

struct Diffusion {
    // The share of the error that is passed on, in 256ths.
    std::int32_t strength;
    // The largest error that a pixel takes, in multiples of 2^-14.
    std::int32_t max_error;
    // Pixels whose eight neighbours are equal to them are left alone where their colour is at most this far
    // from the palette's, squared.
    std::int32_t max_flat_square;
};

struct Picture {
    Pixels pixels;
    std::size_t width;

    [[nodiscard]] std::size_t height() const { return pixels.n_pixels / width; }
};

// Writes a label for each pixel: an index into the palette or, for those without any opacity, its size
// (0 where that is 256).
// Errors are not passed between pixels that differ in opacity by more than an eighth.
void diffuse(const Picture& picture, const ColourSpace& space, const SpacePoints& palette,
             const Diffusion& diffusion, std::uint8_t* labels, const Parallel& parallel);

}  // namespace kmosaic
