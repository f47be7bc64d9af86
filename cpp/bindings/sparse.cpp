#include <nanobind/stl/optional.h>

#include <optional>

#include "assign/sparse_assigner.hpp"
#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"
#include "core/sparse_rows.hpp"

namespace kmosaic {

void check_sums(const ClusterSums& sums, const SparseRows& rows) {
    require(rows.n_features == sums.n_features(), "rows must have as many features as the ClusterSums");
    require(sums.weighted() == (rows.weights != nullptr),
            "a ClusterSums with spacings for weights takes weighted rows, and no others");
}

namespace {

using namespace nb::literals;

using Floats = Array<const double, nb::ndim<1>>;
using Columns = Array<const std::int32_t, nb::ndim<1>>;
using Starts = Array<const std::int64_t, nb::ndim<1>>;

void check_row(const SparseRow& row, std::size_t n_features) {
    std::int64_t last = -1;
    for (std::size_t v = 0; v < row.size; ++v) {
        require(row.columns[v] > last && static_cast<std::size_t>(row.columns[v]) < n_features,
                "columns must ascend within a row, and be below n_features");
        last = row.columns[v];
    }
}

void make_sparse_rows(SparseRows* self, const Floats& values, const Columns& columns, const Starts& starts,
                      std::size_t n_features, const std::optional<Floats>& weights) {
    require(n_features > 0 && n_features <= INT32_MAX, "from 1 to 2**31 - 1 features are needed");
    require(values.shape(0) == columns.shape(0), "columns must have one number a value");
    require(starts.shape(0) > 0, "starts must have one number a row, and one more");
    const std::size_t n_rows = starts.shape(0) - 1;
    require(!weights || weights->shape(0) == n_rows, "weights must have one value a row");
    const std::int64_t* at = starts.data();
    require(at[0] == 0 && at[n_rows] == static_cast<std::int64_t>(values.shape(0)),
            "starts must begin with 0 and end with the number of values");
    for (std::size_t i = 0; i < n_rows; ++i) require(at[i] <= at[i + 1], "starts must ascend");
    const SparseRows rows{values.data(), columns.data(), at,
                          n_rows,        n_features,     weights ? weights->data() : nullptr};
    for (std::size_t i = 0; i < n_rows; ++i) check_row(rows.row(i), n_features);
    new (self) SparseRows(rows);
}

std::size_t assign_sparse(const SparseRows& rows, const CenterArray& centers, const MutableLabels& labels,
                          std::size_t n_threads) {
    require(labels.shape(0) == rows.n_rows, "labels must have one value a row");
    const Centers c = centers_of(centers, Rows{nullptr, kFloat64, rows.n_rows, rows.n_features, nullptr});
    return without_gil(n_threads, [&](const Parallel& p) { return assign(rows, c, labels.data(), p); });
}

void move_sparse(ClusterSums& self, const SparseRows& rows, const Labels& before, const Labels& after,
                 std::size_t n_threads) {
    check_sums(self, rows);
    require(before.shape(0) == rows.n_rows && after.shape(0) == rows.n_rows,
            "labels must have one value a row");
    bool bad = false;
    for (const Labels* labels : {&before, &after})
        for (std::size_t i = 0; i < rows.n_rows; ++i)
            bad |= labels->data()[i] >= static_cast<std::int64_t>(self.n_clusters());
    require(!bad, "labels must be cluster numbers, or below 0");
    without_gil(n_threads, [&](const Parallel& p) { self.move(rows, before.data(), after.data(), p); });
}

}  // namespace

void bind_sparse(nb::module_& m, nb::class_<ClusterSums>& cluster_sums) {
    nb::class_<SparseRows>(m, "SparseRows",
                           "Rows in CSR, float64: values not 0 with ascending int32 columns.")
        .def("__init__", &make_sparse_rows, "values"_a, "columns"_a, "starts"_a, "n_features"_a,
             "weights"_a.none() = nb::none(), nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(),
             nb::keep_alive<1, 4>(), nb::keep_alive<1, 6>());
    m.def("assign_sparse", &assign_sparse, "rows"_a, "centers"_a, "labels"_a, "n_threads"_a,
          "Write each row's nearest centre (ties: the lowest) into labels; return how many labels changed.");
    cluster_sums.def("move_sparse", &move_sparse, "rows"_a, "before"_a, "after"_a, "n_threads"_a,
                     "Move the rows whose labels differ, from those before (below 0: none) to those after.");
}

}  // namespace kmosaic
