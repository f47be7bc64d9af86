#include <nanobind/stl/array.h>
#include <nanobind/stl/string.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"
#include "extras/colour_space.hpp"
#include "extras/dither.hpp"
#include "extras/merged_points.hpp"
#include "extras/palette_index.hpp"

namespace kmosaic {

using namespace nb::literals;

namespace {

using AnyPixels = Array<nb::ro, nb::ndim<2>>;
using PointArray = Array<const std::uint16_t, nb::ndim<2>>;
using ByteLabels = Array<std::uint8_t, nb::ndim<1>>;

// The largest coordinate of a point: those of Oklab's chroma stay well below.
constexpr std::uint16_t kMaxCoordinate = static_cast<std::uint16_t>(kUnit);

Pixels pixels_of(const AnyPixels& array) {
    const bool deep = array.dtype() == nb::dtype<std::uint16_t>();
    require(deep || array.dtype() == nb::dtype<std::uint8_t>(), "pixels must be uint8 or uint16");
    require(array.shape(1) == 3 || array.shape(1) == 4, "pixels must have three channels or four");
    return {array.data(), array.shape(0), array.shape(1), deep};
}

SpacePoints points_of(const PointArray& array) {
    require(array.shape(1) == 3 || array.shape(1) == 4, "points must have three features or four");
    for (std::size_t i = 0; i < array.size(); ++i)
        require(array.data()[i] <= kMaxCoordinate, "coordinates must be at most 16384");
    return {array.data(), array.shape(0), array.shape(1)};
}

SpacePoints palette_of(const PointArray& array, std::size_t most) {
    require(array.shape(0) > 0 && array.shape(0) <= most, "a palette has from 1 to 256 colours");
    return points_of(array);
}

Space space_named(const std::string& name) {
    require(name == "srgb" || name == "linear" || name == "oklab", "space must be srgb, linear or oklab");
    return name == "srgb" ? Space::kSrgb : name == "linear" ? Space::kLinear : Space::kOklab;
}

// A space for values of 8 bits and for those of 16; the tables of the latter are made when needed.
struct Spaces {
    Space space;
    std::optional<ColourSpace> tables[2];

    const ColourSpace& of(bool deep) {
        std::optional<ColourSpace>& own = tables[deep];
        if (!own) own.emplace(space, deep);
        return *own;
    }
};

Result<std::uint16_t, nb::ndim<2>> convert_pixels(Spaces& self, const AnyPixels& array,
                                                  std::size_t n_threads) {
    const Pixels pixels = pixels_of(array);
    const ColourSpace& space = self.of(pixels.deep);
    auto out = make_buffer<std::uint16_t>(array.size());
    without_gil(n_threads, [&](const Parallel& p) { space.convert(pixels, out.data, p); });
    return {out.data, {pixels.n_pixels, pixels.n_channels}, out.owner};
}

Result<std::uint8_t, nb::ndim<1>> find_nearest(const PointArray& array, const PointArray& palette_array,
                                               std::size_t n_threads) {
    const SpacePoints points = points_of(array);
    const SpacePoints palette = palette_of(palette_array, kMaxPalette);
    require(points.n_features == palette.n_features, "palette must have as many features as points");
    auto labels = make_buffer<std::uint8_t>(points.n_points);
    without_gil(n_threads, [&](const Parallel& p) { nearest_in_palette(points, palette, labels.data, p); });
    return {labels.data, {points.n_points}, labels.owner};
}

nb::tuple merge(const PointArray& array, const Array<const std::int64_t, nb::ndim<1>>& counts,
                std::size_t most) {
    const SpacePoints points = points_of(array);
    require(counts.shape(0) == points.n_points, "counts must have one value a point");
    for (std::size_t i = 0; i < points.n_points; ++i)
        require(counts.data()[i] > 0 && counts.data()[i] < std::int64_t{1} << 48,
                "counts must be above 0, below 2**48");
    require(most > 0, "most must be at least 1");
    const MergedPoints merged =
        without_gil(1, [&](const Parallel&) { return merge_points(points, counts.data(), most); });
    auto out = make_buffer<std::uint16_t>(merged.points.size());
    std::copy(merged.points.begin(), merged.points.end(), out.data);
    return nb::make_tuple(
        Result<std::uint16_t, nb::ndim<2>>(out.data, {merged.counts.size(), points.n_features}, out.owner),
        copied(merged.counts));
}

void diffuse_errors(Spaces& self, const AnyPixels& array, std::size_t width, const PointArray& palette_array,
                    const std::array<std::int32_t, 3>& how, const ByteLabels& labels, std::size_t n_threads) {
    const Pixels pixels = pixels_of(array);
    const SpacePoints palette = palette_of(palette_array, kMaxPalette);
    require(width > 0 && pixels.n_pixels % width == 0, "pixels must be whole rows");
    require(pixels.n_channels == palette.n_features, "palette must have as many features as pixels");
    require(labels.shape(0) == pixels.n_pixels, "labels must have one value a pixel");
    require(how[0] >= 0 && how[0] <= 256, "strength must be from 0 to 256");
    require(how[1] >= 0 && how[1] <= kUnit, "max_error must be from 0 to 16384");
    const ColourSpace& space = self.of(pixels.deep);
    without_gil(n_threads, [&](const Parallel& p) {
        diffuse({pixels, width}, space, palette, {how[0], how[1], how[2]}, labels.data(), p);
    });
}

}  // namespace

void bind_colours(nb::module_& m) {
    nb::class_<Spaces>(m, "ColourSpace", "Colours as points of a space, in whole multiples of 2**-14.")
        .def(
            "__init__",
            [](Spaces* self, const std::string& name) { new (self) Spaces{space_named(name), {}}; }, "name"_a)
        .def("convert", &convert_pixels, "pixels"_a, "n_threads"_a,
             "Points of RGB or RGBA pixels, (n, 3 or 4) uint8 or uint16: those of RGBA are premultiplied, "
             "alpha last.")
        .def("diffuse", &diffuse_errors, "pixels"_a, "width"_a, "palette"_a, "how"_a, "labels"_a,
             "n_threads"_a,
             "Write labels by error diffusion; how is (strength, max_error, max_flat_square).");
    m.def("nearest_in_palette", &find_nearest, "points"_a, "palette"_a, "n_threads"_a,
          "The nearest of at most 256 points to each point (ties: the lowest), exactly.");
    m.def("merge_points", &merge, "points"_a, "counts"_a, "most"_a,
          "Points merged into the rounded means of cubes, of which there are at most so many, and their "
          "counts.");
    m.attr("CHROMA_OFFSET") = kChromaOffset;
}

}  // namespace kmosaic
