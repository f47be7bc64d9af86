#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <tuple>
#include <typeinfo>
#include <utility>

#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"
#include "core/sampling.hpp"
#include "update/slice_spacings.hpp"

namespace kmosaic {

namespace {

using namespace nb::literals;

using Values = std::vector<double>;
using Mask = Array<const bool, nb::ndim<1>>;
using Drawn = std::pair<Result<std::uint64_t, nb::ndim<1>>, Result<std::int64_t, nb::ndim<1>>>;

template <class T>
nb::bytes bytes_of(const std::vector<T>& values) {
    return nb::bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

template <class T>
std::vector<T> values_in(const nb::handle& item) {
    const auto bytes = nb::cast<nb::bytes>(item);
    require(bytes.size() % sizeof(T) == 0, "the state of a ClusterSums is damaged");
    std::vector<T> values(bytes.size() / sizeof(T));
    std::copy_n(bytes.c_str(), bytes.size(), reinterpret_cast<char*>(values.data()));
    return values;
}

nb::tuple pickled(const ClusterSums& self) {
    const ClusterSumsState s = self.state();
    return nb::make_tuple(s.n_clusters, bytes_of(s.origin), s.integer, bytes_of(s.spacings),
                          bytes_of(s.weight_spacings), bytes_of(s.sums), bytes_of(s.counts),
                          bytes_of(s.squares), s.n_rows);
}

ClusterSumsState state_in(const nb::tuple& t) {
    require(t.size() == 9, "the state of a ClusterSums is damaged");
    try {
        return {nb::cast<std::size_t>(t[0]),   values_in<double>(t[1]), nb::cast<bool>(t[2]),
                values_in<double>(t[3]),       values_in<double>(t[4]), values_in<std::int64_t>(t[5]),
                values_in<std::int64_t>(t[6]), values_in<double>(t[7]), nb::cast<std::size_t>(t[8])};
    } catch (const std::bad_cast&) {
        throw std::invalid_argument("the state of a ClusterSums is damaged");
    }
}

void unpickle(ClusterSums& self, const nb::tuple& t) {
    const ClusterSumsState state = state_in(t);
    require_clusters(state.n_clusters);
    require(!state.origin.empty() && state.spacings.size() <= kMaxSlices &&
                state.weight_spacings.size() <= kMaxSlices,
            "the state of a ClusterSums is damaged");
    new (&self) ClusterSums(state);
}

std::size_t needed(const AnyRows& array, const Values& origin, const Values& spacings,
                   std::size_t n_threads) {
    const Rows rows = rows_of(array);
    require(!rows.integer(), "spacings are for float rows");
    require(origin.size() == rows.n_features, "origin must have one value a feature");
    require(spacings.size() <= kMaxSlices, "there are too many spacings");
    return without_gil(n_threads,
                       [&](const Parallel& p) { return slices_needed(rows, origin, spacings, p); });
}

Values possible(std::size_t n_rows, const Values& origin, const Values& low, const Values& high) {
    require(low.size() == origin.size() && high.size() == origin.size(),
            "origin, low and high must have one value a feature");
    return possible_spacings(n_rows, origin, {low, high});
}

// The exponent and the least bit of values are all that spacings need of them.
std::pair<int, double> exponent_and_bit(const AnyRows& array, const Values& origin, std::size_t n_threads) {
    const Rows rows = rows_of(array);
    require(!rows.integer(), "spacings are for float rows");
    require(origin.size() == rows.n_features, "origin must have one value a feature");
    return without_gil(n_threads, [&](const Parallel& p) {
        return std::pair(exponent_of(range_of_reals(rows, p), origin), least_bit(rows, origin, p));
    });
}

Values spacings_for(int exponent, std::size_t n_terms, double least) {
    require(n_terms > 0 && least > 0, "there must be terms, and a bit above 0");
    require(exponent >= -2000, "the exponent is none of float64's");
    return needed_spacings(exponent, n_terms, least);
}

Drawn drawn_rows(std::int64_t first, std::size_t n, const std::optional<Mask>& present,
                 std::pair<std::uint64_t, std::uint64_t> seed_and_limit, std::size_t n_threads) {
    require(first >= 0 && n <= static_cast<std::uint64_t>(INT64_MAX - first), "there are too many positions");
    require(!present || present->shape(0) == n, "present must have one value a position");
    const auto* mask = present ? reinterpret_cast<const std::uint8_t*>(present->data()) : nullptr;
    const std::vector<DrawnRow> drawn = without_gil(n_threads, [&](const Parallel& p) {
        return draw_rows(first, n, mask, seed_and_limit.first, seed_and_limit.second, p);
    });
    std::vector<std::uint64_t> keys;
    std::vector<std::int64_t> positions;
    for (const DrawnRow& row : drawn) {
        keys.push_back(row.key);
        positions.push_back(row.position);
    }
    return {copied(keys), copied(positions)};
}

}  // namespace

void bind_blocks(nb::module_& m, nb::class_<ClusterSums>& cluster_sums) {
    cluster_sums
        .def("equal_sums", &ClusterSums::equal_sums, "other"_a,
             "Whether another has the same sums and counts.")
        .def_prop_ro("few", &ClusterSums::few,
                     "Whether the sums are so few that any number of label changes can be applied.")
        .def("__getstate__", &pickled)
        .def("__setstate__", &unpickle);
    m.def("possible_spacings", &possible, "n_rows"_a, "origin"_a, "low"_a, "high"_a,
          "The slice spacings that exact sums over this many float rows can have, the coarsest first.");
    m.def("slices_needed", &needed, "rows"_a, "origin"_a, "spacings"_a, "n_threads"_a,
          "The number of slices needed to represent every value exactly.");
    m.def("exponent_and_bit", &exponent_and_bit, "rows"_a, "origin"_a, "n_threads"_a,
          "The least E with every |x - origin| below 2^E, and the power of two of the least bit among them.");
    m.def("spacings_for", &spacings_for, "exponent"_a, "n_terms"_a, "least"_a,
          "As few slice spacings as sums of n_terms multiples of least below 2^exponent need.");
    m.def("draw_rows", &drawn_rows, "first"_a, "n"_a, "present"_a.none(), "seed_and_limit"_a, "n_threads"_a,
          "Keys and positions of those positions from first on whose key is below the limit.");
}

}  // namespace kmosaic
