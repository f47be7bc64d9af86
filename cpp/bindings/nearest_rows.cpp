#include <nanobind/stl/optional.h>

#include <algorithm>
#include <optional>

#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"
#include "extras/image_distortion.hpp"
#include "extras/nearest_rows.hpp"

namespace kmosaic {

using namespace nb::literals;

namespace {

using Gradients = Array<const std::int8_t, nb::ndim<4>>;
using RowLimits = Array<const double, nb::ndim<1>>;
using Candidates = Array<const std::int32_t, nb::ndim<2>>;

nb::tuple find_nearest(const AnyRows& array, const CenterArray& references, std::size_t k,
                       std::optional<std::size_t> own, const std::optional<RowLimits>& limits,
                       std::size_t n_threads) {
    const Rows rows = rows_of(array);
    require(references.shape(1) == rows.n_features, "references must have as many features as rows");
    require_clusters(references.shape(0));
    const std::size_t n_references = references.shape(0);
    require(!own || (*own <= n_references && rows.n_rows <= n_references - *own),
            "rows that are references must be among them");
    require(k > 0 && k <= n_references - (own ? 1 : 0), "n_neighbours must be at most the references");
    require(!limits || limits->shape(0) == rows.n_rows, "there must be a limit for each row");
    const Centers others{references.data(), references.shape(0), references.shape(1)};
    auto indices = make_buffer<std::int32_t>(rows.n_rows * k);
    auto squares = make_buffer<double>(rows.n_rows * k);
    const NeighbourSearch search{k, own.value_or(kNotOwn), limits ? limits->data() : nullptr};
    without_gil(n_threads, [&](const Parallel& p) {
        nearest_rows(rows, others, search, {indices.data, squares.data}, p);
    });
    return nb::make_tuple(Result<std::int32_t, nb::ndim<2>>(indices.data, {rows.n_rows, k}, indices.owner),
                          Result<double, nb::ndim<2>>(squares.data, {rows.n_rows, k}, squares.owner));
}

GradientImages view(const Gradients& array) {
    require(array.shape(1) == kGradientPlanes, "gradients must be (n_images, 2, height, width)");
    require(array.shape(2) > 0 && array.shape(3) > 0, "images must have at least one pixel");
    return {array.data(), array.shape(0), array.shape(2), array.shape(3)};
}

void check_gradients(const Gradients& array) {
    const std::int8_t* values = array.data();
    std::int8_t low = 0;
    std::int8_t high = 0;
    for (std::size_t i = 0; i < array.size(); ++i) {
        low = std::min(low, values[i]);
        high = std::max(high, values[i]);
    }
    require(low >= -kLargestGradient && high <= kLargestGradient, "gradients must be from -30 to 30");
}

nb::tuple find_distortions(const Gradients& images, const Gradients& references, const Candidates& candidates,
                           std::size_t warp, std::size_t n_nearest, bool back, std::size_t n_threads) {
    const GradientImages a = view(images);
    const GradientImages b = view(references);
    require(a.height == b.height && a.width == b.width, "images and references must have one size");
    require(a.height < 1 << 16 && a.width < 1 << 16, "images must have sides below 65536");
    require(warp <= kMaxWarp, "warp must be at most 16");
    require(n_nearest > 0, "n_nearest must be at least 1");
    require(candidates.shape(0) == a.n_images, "candidates must have one row an image");
    check_gradients(images);
    if (references.data() != images.data()) check_gradients(references);
    for (std::size_t i = 0; i < candidates.size(); ++i)
        require(candidates.data()[i] >= 0 && static_cast<std::size_t>(candidates.data()[i]) < b.n_images,
                "candidates must be numbers of references");
    auto there = make_buffer<std::int64_t>(candidates.size());
    auto here = make_buffer<std::int64_t>(back ? candidates.size() : 0);
    const CandidateLists lists{candidates.data(), candidates.shape(1)};
    const Distortions out{there.data, back ? here.data : nullptr};
    without_gil(n_threads, [&](const Parallel& p) { distortions(a, b, lists, {warp, n_nearest}, out, p); });
    const std::size_t n_back = back ? a.n_images : 0;
    return nb::make_tuple(
        Result<std::int64_t, nb::ndim<2>>(there.data, {a.n_images, lists.n_candidates}, there.owner),
        Result<std::int64_t, nb::ndim<2>>(here.data, {n_back, lists.n_candidates}, here.owner));
}

}  // namespace

void bind_neighbours(nb::module_& m) {
    m.def(
        "nearest_rows", &find_nearest, "rows"_a, "references"_a, "n_neighbours"_a, "own"_a.none(),
        "limits"_a.none(), "n_threads"_a,
        "Each row's nearest references, nearest first (ties: the lowest), and their squared distances. Where "
        "row i is reference own + i, it is not its own neighbour. Where fewer than n_neighbours references "
        "are "
        "within a row's limit, a squared distance, the last of its list are infinitely far.");
    m.def("distortions", &find_distortions, "images"_a, "references"_a, "candidates"_a, "warp"_a,
          "n_nearest"_a, "back"_a, "n_threads"_a,
          "The image distortion of each image against its candidates among the references, (n_images, "
          "n_candidates): if it is among the n_nearest least of the image's, else the largest int64. With "
          "`back` "
          "also that of each candidate against the image, else an empty array.");
    m.attr("LARGEST_GRADIENT") = kLargestGradient;
    m.attr("MAX_WARP") = kMaxWarp;
}

}  // namespace kmosaic
