#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <utility>

#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"
#include "core/hash_order.hpp"
#include "core/sparse_rows.hpp"
#include "update/square_sums.hpp"

namespace kmosaic {

namespace {

using namespace nb::literals;

using Floats = Array<const double, nb::ndim<1>>;
using Hashes = Array<const std::uint64_t, nb::ndim<1>>;

template <class RowsOf>
Result<std::uint64_t, nb::ndim<1>> hashes_of(const RowsOf& rows, std::size_t n_threads) {
    auto out = make_buffer<std::uint64_t>(rows.n_rows);
    without_gil(n_threads, [&](const Parallel& p) { hash_rows(rows, out.data, p); });
    return {out.data, {rows.n_rows}, out.owner};
}

std::pair<Result<std::int64_t, nb::ndim<1>>, Result<std::int64_t, nb::ndim<1>>> ordered(
    const Hashes& hashes, std::size_t n_threads) {
    const std::vector<std::uint64_t> values(hashes.data(), hashes.data() + hashes.shape(0));
    const HashOrder order = without_gil(n_threads, [&](const Parallel& p) { return order_of(values, p); });
    return {copied(order.rows), copied(order.starts)};
}

void add_part(SquaresInParts& self, const ClusterSums& sums, const AnyRows& array,
              const std::optional<Floats>& weights, std::size_t n_threads) {
    Rows rows = rows_of(array);
    require(!weights || weights->shape(0) == rows.n_rows, "weights must have one value a row");
    rows.weights = weights ? weights->data() : nullptr;
    require(rows.n_features == sums.n_features(), "rows must have as many features as the ClusterSums");
    require(
        sums.integer() == (rows.integer() && !rows.weights) && sums.weighted() == (rows.weights != nullptr),
        "rows must be of the dtype, and weighted, as those of the ClusterSums");
    without_gil(n_threads, [&](const Parallel& p) { self.add(rows, p); });
}

// Keeps the sums it adds to alive, and checks what is added.
struct Squares {
    explicit Squares(ClusterSums& to) : sums(to), parts(to) {}
    ClusterSums& sums;
    SquaresInParts parts;
};

}  // namespace

void bind_row_parts(nb::module_& m) {
    m.def(
        "hash_sparse", [](const SparseRows& rows, std::size_t n) { return hashes_of(rows, n); }, "rows"_a,
        "n_threads"_a, "The hash of each row's values: that of the same row with its zeros.");
    m.def(
        "hash_rows", [](const AnyRows& rows, std::size_t n) { return hashes_of(rows_of(rows), n); }, "rows"_a,
        "n_threads"_a, "The hash of each row's values.");
    m.def("order_of_hashes", &ordered, "hashes"_a, "n_threads"_a,
          "hash_order's result for rows of these hashes.");
    nb::class_<Squares>(m, "SquaresInParts", "Adds squares of rows in parts of any size to a ClusterSums.")
        .def(
            "__init__", [](Squares* self, ClusterSums& sums) { new (self) Squares(sums); }, "sums"_a,
            nb::keep_alive<1, 2>())
        .def(
            "add",
            [](Squares& self, const AnyRows& rows, const std::optional<Floats>& weights, std::size_t n) {
                add_part(self.parts, self.sums, rows, weights, n);
            },
            "rows"_a, "weights"_a.none(), "n_threads"_a, "Add the next rows.")
        .def(
            "add_sparse",
            [](Squares& self, const SparseRows& rows, std::size_t n) {
                check_sums(self.sums, rows);
                without_gil(n, [&](const Parallel& p) { self.parts.add(rows, p); });
            },
            "rows"_a, "n_threads"_a, "Add the next rows.")
        .def("finish", [](Squares& self) { self.parts.finish(); }, "Add what is left, after the last rows.");
}

}  // namespace kmosaic
