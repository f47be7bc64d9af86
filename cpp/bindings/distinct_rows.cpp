#include <algorithm>

#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"
#include "core/distinct_rows.hpp"

namespace kmosaic {

using namespace nb::literals;

namespace {

// Distinct rows, and the rows that they were found in.
struct MergedRows {
    AnyRows array;
    DistinctRows distinct_rows;
};

void make_merged_rows(MergedRows* self, const AnyRows& array, std::size_t most, std::size_t n_threads) {
    const Rows rows = rows_of(array);
    require(DistinctRows::mergeable(rows), "rows to merge must have at most 24 bits");
    new (self) MergedRows{
        array, without_gil(n_threads, [&](const Parallel& p) { return DistinctRows(rows, most, p); })};
}

template <class T>
nb::object distinct_rows_as(const MergedRows& self, std::size_t n_threads) {
    const std::size_t size = self.distinct_rows.size();
    auto out = make_buffer<T>(size * self.array.shape(1));
    without_gil(n_threads, [&](const Parallel& p) { self.distinct_rows.write_rows(out.data, p); });
    return nb::cast(Result<T, nb::ndim<2>>(out.data, {size, self.array.shape(1)}, out.owner));
}

nb::object distinct_rows(const MergedRows& self, std::size_t n_threads) {
    switch (dtype_of(self.array)) {
        case kUint8: return distinct_rows_as<std::uint8_t>(self, n_threads);
        case kInt8: return distinct_rows_as<std::int8_t>(self, n_threads);
        case kUint16: return distinct_rows_as<std::uint16_t>(self, n_threads);
        default: return distinct_rows_as<std::int16_t>(self, n_threads);
    }
}

Result<std::uint32_t, nb::ndim<1>> distinct_counts(const MergedRows& self, std::size_t n_threads) {
    const Rows rows = rows_of(self.array);
    return copied(
        without_gil(n_threads, [&](const Parallel& p) { return self.distinct_rows.counts(rows, p); }));
}

template <class T>
void expand_labels(const MergedRows& self, const Array<const T, nb::ndim<1>>& distinct_labels,
                   const Array<T, nb::ndim<1>>& labels, std::size_t n_threads) {
    const Rows rows = rows_of(self.array);
    require(distinct_labels.shape(0) == self.distinct_rows.size(),
            "distinct_labels must have one value a distinct row");
    require(labels.shape(0) == rows.n_rows, "labels must have one value a row");
    without_gil(n_threads, [&](const Parallel& p) {
        self.distinct_rows.expand(rows, distinct_labels.data(), labels.data(), p);
    });
}

}  // namespace

void bind_distinct_rows(nb::module_& m) {
    nb::class_<MergedRows>(m, "DistinctRows", "The distinct rows among rows of at most 24 bits.")
        .def("__init__", &make_merged_rows, "rows"_a, "most"_a, "n_threads"_a)
        .def_prop_ro(
            "size", [](const MergedRows& self) { return self.distinct_rows.size(); },
            "How many distinct rows there are; if more than `most`, not all of them were counted.")
        .def("rows", &distinct_rows, "n_threads"_a, "Each distinct row once, in ascending order of its bits.")
        .def("counts", &distinct_counts, "n_threads"_a, "How many rows equal each distinct row.")
        .def("expand", &expand_labels<std::int32_t>, "distinct_labels"_a, "labels"_a, "n_threads"_a,
             "Write the label of each row's distinct row into labels.")
        .def("expand", &expand_labels<std::uint8_t>, "distinct_labels"_a, "labels"_a, "n_threads"_a,
             "The same for labels of a byte.");
}

}  // namespace kmosaic
