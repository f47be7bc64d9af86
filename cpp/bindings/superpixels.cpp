#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>

#include <array>
#include <optional>

#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"
#include "extras/regions.hpp"
#include "extras/superpixels.hpp"

namespace kmosaic {

using namespace nb::literals;

namespace {

using Features = Array<const std::uint16_t, nb::ndim<4>>;
using Inside = Array<const std::uint8_t, nb::ndim<3>>;
using Seeds = Array<const std::int64_t, nb::ndim<2>>;

FeatureImage image_of(const Features& features, const std::optional<Inside>& inside) {
    const Extent shape{features.shape(0), features.shape(1), features.shape(2)};
    require(volume(shape) > 0 && volume(shape) < INT32_MAX, "an image has from 1 to 2**31 - 2 pixels");
    std::uint16_t bits = 0;
    for (std::size_t i = 0; i < features.size(); ++i) bits |= features.data()[i];
    require(bits <= kMaxFeature, "features must be at most 32767");
    if (inside)
        for (std::size_t a = 0; a < 3; ++a)
            require(inside->shape(a) == shape[a], "inside must have the image's shape");
    return {features.data(), shape, features.shape(3), inside ? inside->data() : nullptr};
}

std::vector<Place3> seeds_of(const Seeds& seeds, const Extent& shape) {
    require(seeds.shape(1) == 3, "seeds must have three coordinates");
    require_clusters(seeds.shape(0));
    std::vector<Place3> places(seeds.shape(0));
    for (std::size_t i = 0; i < places.size(); ++i)
        for (std::size_t a = 0; a < 3; ++a) {
            places[i][a] = seeds.data()[3 * i + a];
            require(places[i][a] >= 0 && places[i][a] < static_cast<std::int64_t>(shape[a]),
                    "seeds must lie in the image");
        }
    return places;
}

nb::tuple fit_superpixels(const Features& features, const std::optional<Inside>& inside,
                          const Seeds& seed_array, const std::array<std::array<double, 3>, 2>& axes,
                          const std::array<double, 4>& how, std::size_t n_threads) {
    const FeatureImage image = image_of(features, inside);
    const std::vector<Place3> seeds = seeds_of(seed_array, image.shape);
    SlicOptions options{axes[0], {}, static_cast<std::size_t>(how[0]), how[1]};
    for (std::size_t a = 0; a < 3; ++a) {
        require(axes[0][a] >= 0 && axes[0][a] < 0x1p40, "scales must be from 0 to 2**40");
        require(axes[1][a] >= 1 && axes[1][a] < 0x1p31, "windows must reach at least a pixel");
        options.reach[a] = static_cast<std::int64_t>(axes[1][a]);
    }
    require(how[0] >= 1 && how[0] < 0x1p31, "max_iter must be at least 1");
    require(how[1] >= 0 && how[1] < 0x1p40, "zero_floor must be from 0 to 2**40");
    for (const std::size_t i : {2U, 3U})
        require(how[i] >= 0 && how[i] < 0x1p53, "sizes must be from 0 to 2**53");
    auto labels = make_buffer<std::int32_t>(volume(image.shape));
    std::size_t n_regions = seeds.size();
    const std::size_t n_iter = without_gil(n_threads, [&](const Parallel& p) {
        const TiledImage tiled(image, p);
        const std::size_t taken = slic(tiled, seeds, options, labels.data, p);
        if (how[3] > 0) {
            const RegionSizes sizes{static_cast<std::size_t>(how[2]), static_cast<std::size_t>(how[3])};
            n_regions = connect_regions(tiled, sizes, labels.data, p);
        }
        return taken;
    });
    return nb::make_tuple(Result<std::int32_t, nb::ndim<3>>(
                              labels.data, {image.shape[0], image.shape[1], image.shape[2]}, labels.owner),
                          n_regions, n_iter);
}

}  // namespace

void bind_superpixels(nb::module_& m) {
    m.def("superpixels", &fit_superpixels, "features"_a, "inside"_a.none(), "seeds"_a, "axes"_a, "how"_a,
          "n_threads"_a,
          "Labels (-1 where not inside), their number and iterations; axes is (scale, reach), how is "
          "(max_iter, zero_floor, least, most), most = 0: regions need not be connected.");
    m.attr("MAX_FEATURE") = kMaxFeature;
}

}  // namespace kmosaic
