// Superpixels: k-means in colour and place, in which a centre takes only pixels of the window around it.
//
// R. Achanta, A. Shaji, K. Smith, A. Lucchi, P. Fua, S. Susstrunk (2012), "SLIC superpixels compared to
// state-of-the-art superpixel methods", IEEE PAMI 34(11). A pixel is a point whose coordinates are its values
// and its place times a scale, in whole numbers; its label is the nearest of the centres whose windows it is
// in, ties to the lowest index. Tiles of pixels rule centres out, by bounds that do not round, so no label
// depends on them; and sums are whole numbers, so threads change nothing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "extras/tiled_image.hpp"

namespace kmosaic {

struct SlicOptions {
    // A pixel's length along each axis, in units of the values.
    std::array<double, 3> scale;
    // A window goes so many pixels from its centre, either way; at least 1.
    Place3 reach;
    std::size_t max_iter;
    // SLICO: each centre divides squares of colour distances by the largest of its own so far, from `zero_floor`
    // squared on; 0: none does.
    double zero_floor = 0;
};

// Centres: the sums over their pixels, from which their places and colours are rounded.
struct SlicCenters {
    std::size_t n_channels;
    std::vector<Place3> places;         // the rounded mean, in pixels
    std::vector<std::int64_t> points;   // [centre][axis, then channel]: rounded coordinates
    std::vector<std::int64_t> factors;  // of squared colour distances

    [[nodiscard]] std::size_t size() const { return places.size(); }
    [[nodiscard]] const std::int64_t* point(std::size_t k) const {
        return points.data() + k * (3 + n_channels);
    }
    [[nodiscard]] std::int64_t* point(std::size_t k) { return points.data() + k * (3 + n_channels); }
};

// The coordinates of places, and how they and colours are weighed: all squares of distances within a window
// are below 2^30 (narrow), or 2^61.
struct SlicScale {
    SlicScale(const TiledImage& image, const SlicOptions& options);

    std::array<std::vector<std::int64_t>, 3> coordinates;  // [axis][pixel]
    std::array<double, 3> scale;
    std::int64_t factor;  // of squared colour distances; 1 where narrow
    bool narrow;
};

// Writes a centre's index for each pixel, or -1 outside: labels[z][y][x]. A pixel in no window gets the centre
// nearest in place. Returns how many iterations it took until no label changed, or max_iter.
std::size_t slic(const TiledImage& image, const std::vector<Place3>& seeds, const SlicOptions& options,
                 std::int32_t* labels, const Parallel& parallel);

}  // namespace kmosaic
