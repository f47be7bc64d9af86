// k-means++ in the Python module: of rows in memory, of rows that come part by part, and of sparse rows.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <utility>
#include <vector>

#include "assign/assigner.hpp"
#include "bindings/arrays.hpp"
#include "bindings/gil.hpp"
#include "bindings/parts.hpp"
#include "seeding/kmeans_plus_plus.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace kmosaic {
namespace {

using Order = Array<const std::int64_t, nb::ndim<1>>;

void check_order(const Order& order, std::size_t n_rows) {
    require(order.shape(0) == n_rows, "order must have one value a row");
    std::vector<bool> met(n_rows, false);
    for (std::size_t i = 0; i < n_rows; ++i) {
        const auto row = static_cast<std::size_t>(order.data()[i]);
        require(row < n_rows && !met[row], "order must hold each row's number once");
        met[row] = true;
    }
}

void make_seeder(Seeder* self, const AnyRows& array, const std::optional<Weights>& weights,
                 const Order& order, Assigner* assigner, std::size_t n_seeds, std::size_t n_threads) {
    const Rows rows = rows_of(array, weights);
    check_order(order, rows.n_rows);
    require(!assigner || same_rows(assigner->rows(), rows), "the assigner must be of these rows");
    const auto code = [&](const Parallel& p) { return assigner->code_for_seeds(n_seeds, p); };
    const std::optional<CodedRows> coded = assigner ? without_gil(n_threads, code) : std::nullopt;
    new (self) Seeder(rows, order.data(), coded ? &*coded : nullptr);
}

Seeder* seeder_of_parts(std::size_t n_features, const std::optional<Weights>& weights, const Order& order) {
    require(n_features > 0, "rows must have at least one feature");
    Rows shape{nullptr, kFloat64, order.shape(0), n_features, nullptr};
    if (weights) {
        require(weights->dtype() == nb::dtype<double>() && weights->shape(0) == shape.n_rows,
                "weights must be float64, one a row");
        shape.weights = static_cast<const double*>(weights->data());
    }
    check_order(order, shape.n_rows);
    return Seeder::of_parts(shape, order.data()).release();
}

Seeder* seeder_of_sparse(const SparseRows& rows, const Order& order) {
    check_order(order, rows.n_rows);
    return new Seeder(rows, order.data());
}

void seeder_begin(Seeder& self, const CenterArray& candidates, std::size_t n_threads) {
    require(self.in_parts(), "the rows were not given part by part");
    require(candidates.shape(0) > 0 && candidates.shape(0) <= kMaxCandidates &&
                candidates.shape(1) == self.n_features(),
            "from 1 to 16 candidates are needed, of as many features as rows");
    std::vector<double> values(candidates.data(), candidates.data() + candidates.size());
    without_gil(n_threads, [&](const Parallel& p) { self.begin(std::move(values), p); });
}

Rows checked_part(const Seeder& self, const AnyRows& array, std::size_t first) {
    const Rows part = rows_of(array);
    require(self.begun(), "begin must be called before find, lower and accept");
    require(part.n_features == self.n_features(), "parts must have as many features as rows");
    require(first <= self.n_rows() && part.n_rows <= self.n_rows() - first, "there are too many rows");
    return part;
}

std::vector<std::size_t> seeder_draw(const Seeder& self, const Values& numbers) {
    return self.draw(vector_of(numbers));
}

std::vector<std::size_t> checked_candidates(const Seeder& self, const std::vector<std::size_t>& candidates) {
    require(!self.in_parts(), "the rows are given part by part: call begin, find and accept");
    require(!candidates.empty() && candidates.size() <= kMaxCandidates, "from 1 to 16 candidates are needed");
    for (const std::size_t row : candidates)
        require(row < self.nearest().squares.size(), "candidates must be row numbers");
    return candidates;
}

Result<double, nb::ndim<1>> seeder_gains(Seeder& self, const std::vector<std::size_t>& candidates,
                                         std::size_t n_threads) {
    const std::vector<std::size_t> rows = checked_candidates(self, candidates);
    return copied(without_gil(n_threads, [&](const Parallel& p) { return self.gains(rows, p); }));
}

std::size_t seeder_add_best(Seeder& self, const std::vector<std::size_t>& candidates, std::size_t n_threads) {
    const std::vector<std::size_t> rows = checked_candidates(self, candidates);
    return without_gil(n_threads, [&](const Parallel& p) { return self.add_best(rows, p); });
}

}  // namespace

void bind_seeding(nb::module_& m) {
    nb::class_<Seeder>(m, "Seeder", "Greedy k-means++, seed by seed.")
        .def("__init__", &make_seeder, "rows"_a, "weights"_a.none(), "order"_a, "assigner"_a.none(),
             "n_seeds"_a = 1, "n_threads"_a = 1, nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(),
             nb::keep_alive<1, 4>(), nb::keep_alive<1, 5>())
        .def_static(
            "of_parts", &seeder_of_parts, "n_features"_a, "weights"_a.none(), "order"_a,
            nb::rv_policy::take_ownership, nb::keep_alive<0, 2>(), nb::keep_alive<0, 3>(),
            "Of rows that are given part by part: begin, find for each part, unless complete lower for "
            "each, then accept.")
        .def_static("of_sparse", &seeder_of_sparse, "rows"_a, "order"_a, nb::rv_policy::take_ownership,
                    nb::keep_alive<0, 1>(), nb::keep_alive<0, 2>(), "Of sparse rows.")
        .def("begin", &seeder_begin, "candidates"_a, "n_threads"_a, "Take candidates, as rows of values.")
        .def(
            "find",
            [](Seeder& self, const AnyRows& array, std::size_t first, std::size_t n_threads) {
                const Rows part = checked_part(self, array, first);
                without_gil(n_threads, [&](const Parallel& p) { self.find(part, first, p); });
            },
            "part"_a, "first"_a, "n_threads"_a, "Find the rows of a part that candidates are nearer to.")
        .def_prop_ro("best", &Seeder::best, "The candidate of largest gain (ties: the first).")
        .def_prop_ro("complete", &Seeder::complete, "Whether all rows nearer to it are listed.")
        .def(
            "lower",
            [](Seeder& self, const AnyRows& array, std::size_t first, std::size_t n_threads) {
                const Rows part = checked_part(self, array, first);
                without_gil(n_threads, [&](const Parallel& p) { self.lower(part, first, p); });
            },
            "part"_a, "first"_a, "n_threads"_a, "Find those of a part that are not listed.")
        .def(
            "accept",
            [](Seeder& self, std::size_t n_threads) {
                require(self.begun(), "begin must be called before find, lower and accept");
                without_gil(n_threads, [&](const Parallel& p) { self.accept(p); });
            },
            "n_threads"_a, "Make the best candidate a seed.")
        .def("draw", &seeder_draw, "numbers"_a,
             "A row for each number in [0, 1), in proportion to mass along the order; none where there is no "
             "mass.")
        .def("gains", &seeder_gains, "candidates"_a, "n_threads"_a,
             "What each candidate row would take off the weighted sum of squared distances to the nearest "
             "seed.")
        .def("add_best", &seeder_add_best, "candidates"_a, "n_threads"_a,
             "Make the candidate of largest gain (ties: the first) a seed and return its row.")
        .def_prop_ro(
            "nearest", [](const Seeder& self) { return copied(self.nearest().squares); },
            nb::rv_policy::automatic, "Each row's squared distance to its nearest seed.")
        .def_prop_ro(
            "labels", [](const Seeder& self) { return copied(self.nearest().seeds); },
            nb::rv_policy::automatic, "Which seed that is (ties: the first); -1 before there is one.");
}

}  // namespace kmosaic
