// The only file that knows Python: arrays in, arrays out, the GIL released in between, Ctrl-C answered.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <memory>
#include <optional>

#include "kernels/dispatch.hpp"
#include "kmeans/assign.hpp"
#include "kmeans/assigner.hpp"
#include "kmeans/canonical_order.hpp"
#include "kmeans/distances.hpp"
#include "kmeans/partial.hpp"
#include "kmeans/seeding.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace kmosaic {
namespace {

using AnyRows = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Weights = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using CenterArray = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Labels = nb::ndarray<const std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using MutableLabels = nb::ndarray<std::int32_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Values = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Order = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T, class... Shape>
using Result = nb::ndarray<nb::numpy, T, Shape...>;

template <class T>
struct Buffer {
    T* data;
    nb::capsule owner;
};

template <class T>
Buffer<T> make_buffer(std::size_t size) {
    T* data = new T[size]();
    return {data, nb::capsule(data, [](void* p) noexcept { delete[] static_cast<T*>(p); })};
}

void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

Dtype dtype_of(const AnyRows& rows) {
    if (rows.dtype() == nb::dtype<std::uint8_t>()) return kUint8;
    if (rows.dtype() == nb::dtype<std::uint16_t>()) return kUint16;
    if (rows.dtype() == nb::dtype<float>()) return kFloat32;
    if (rows.dtype() == nb::dtype<double>()) return kFloat64;
    throw nb::type_error("rows must be uint8, uint16, float32 or float64");
}

Rows view(const AnyRows& rows, const std::optional<Weights>& weights) {
    require(rows.shape(1) > 0, "rows must have at least one feature");
    require(!weights || weights->shape(0) == rows.shape(0), "weights must have one value a row");
    return {rows.data(), dtype_of(rows), rows.shape(0), rows.shape(1), weights ? weights->data() : nullptr};
}

Centers view(const CenterArray& centers, const Rows& rows) {
    require(centers.shape(1) == rows.n_features, "centers must have as many features as rows");
    require(centers.shape(0) > 0, "at least one center is needed");
    return {centers.data(), centers.shape(0), centers.shape(1)};
}

void check_labels(const Labels& labels, const Rows& rows, std::size_t n_clusters) {
    require(labels.shape(0) == rows.n_rows, "labels must have one value a row");
    for (std::size_t i = 0; i < rows.n_rows; ++i)
        require(labels.data()[i] >= 0 && static_cast<std::size_t>(labels.data()[i]) < n_clusters,
                "labels must be cluster numbers");
}

// Signals are looked at by the calling thread, at most every 50 ms.
std::function<bool()> signals_pending() {
    using Clock = std::chrono::steady_clock;
    return [last = Clock::now()]() mutable {
        if (Clock::now() - last < std::chrono::milliseconds(50)) return false;
        last = Clock::now();
        const nb::gil_scoped_acquire gil;
        return PyErr_CheckSignals() != 0;
    };
}

template <class Work>
auto without_gil(std::size_t n_threads, Work work) {
    const Parallel parallel{n_threads, signals_pending()};
    try {
        const nb::gil_scoped_release release;
        return work(parallel);
    } catch (const Interrupted&) {
        throw nb::python_error();
    }
}

std::size_t assign_rows(const AnyRows& array, const CenterArray& centers, const MutableLabels& labels,
                        std::size_t n_threads) {
    const Rows rows = view(array, std::nullopt);
    const Centers c = view(centers, rows);
    require(labels.shape(0) == rows.n_rows, "labels must have one value a row");
    return without_gil(n_threads,
                       [&](const Parallel& p) { return assign(rows, c, labels.data(), nullptr, p); });
}

Result<double, nb::ndim<2>> distance_matrix(const AnyRows& array, const CenterArray& centers,
                                            std::size_t n_threads) {
    const Rows rows = view(array, std::nullopt);
    const Centers c = view(centers, rows);
    auto out = make_buffer<double>(rows.n_rows * c.n_clusters);
    without_gil(n_threads, [&](const Parallel& p) { squared_distances(rows, c, out.data, p); });
    return {out.data, {rows.n_rows, c.n_clusters}, out.owner};
}

Result<double, nb::ndim<1>> own_distances(const AnyRows& array, const CenterArray& centers,
                                          const Labels& labels, std::size_t n_threads) {
    const Rows rows = view(array, std::nullopt);
    const Centers c = view(centers, rows);
    check_labels(labels, rows, c.n_clusters);
    auto out = make_buffer<double>(rows.n_rows);
    without_gil(n_threads,
                [&](const Parallel& p) { own_squared_distances(rows, c, labels.data(), out.data, p); });
    return {out.data, {rows.n_rows}, out.owner};
}

template <class T>
Result<T, nb::ndim<1>> copied(const std::vector<T>& values) {
    auto out = make_buffer<T>(values.size());
    std::copy(values.begin(), values.end(), out.data);
    return {out.data, {values.size()}, out.owner};
}

std::pair<Result<std::int64_t, nb::ndim<1>>, Result<std::int64_t, nb::ndim<1>>> ordered(
    const AnyRows& array, std::size_t n_threads) {
    const Rows rows = view(array, std::nullopt);
    const CanonicalOrder order =
        without_gil(n_threads, [&](const Parallel& p) { return canonical_order(rows, p); });
    return {copied(order.rows), copied(order.starts)};
}

void make_assigner(Assigner* self, const AnyRows& array, std::size_t n_threads) {
    const Rows rows = view(array, std::nullopt);
    without_gil(n_threads, [&](const Parallel& p) { new (self) Assigner(rows, p); });
}

void make_seeder(Seeder* self, const AnyRows& array, const std::optional<Weights>& weights,
                 const Order& order, const Assigner* assigner) {
    const Rows rows = view(array, weights);
    require(order.shape(0) == rows.n_rows, "order must have one value a row");
    for (std::size_t i = 0; i < rows.n_rows; ++i)
        require(order.data()[i] >= 0 && static_cast<std::size_t>(order.data()[i]) < rows.n_rows,
                "order must hold row numbers");
    new (self) Seeder(rows, order.data(), assigner ? assigner->bounded() : nullptr);
}

std::vector<std::size_t> seeder_draw(const Seeder& self, const Values& numbers) {
    return self.draw({numbers.data(), numbers.data() + numbers.shape(0)});
}

std::vector<std::size_t> checked_candidates(const Seeder& self, const std::vector<std::size_t>& candidates) {
    require(!candidates.empty() && candidates.size() <= kMostCandidates,
            "from 1 to 16 candidates are needed");
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

Partial make_partial(std::size_t n_clusters, const Values& origin, bool integer) {
    return {n_clusters, {origin.data(), origin.data() + origin.shape(0)}, integer};
}

void check_rows(const Partial& partial, const Rows& rows) {
    require(rows.n_features == partial.n_features(), "rows must have as many features as the Partial");
    require(partial.integer() == (rows.integer() && !rows.weights),
            "an integer Partial takes unweighted integer rows, and no others");
}

void partial_add(Partial& self, const AnyRows& array, const std::optional<Weights>& weights,
                 const Labels& labels, std::size_t n_threads) {
    const Rows rows = view(array, weights);
    check_rows(self, rows);
    check_labels(labels, rows, self.n_clusters());
    without_gil(n_threads, [&](const Parallel& p) { self.add(rows, labels.data(), p); });
}

void partial_add_squares(Partial& self, const AnyRows& array, const std::optional<Weights>& weights,
                         std::size_t n_threads) {
    const Rows rows = view(array, weights);
    check_rows(self, rows);
    without_gil(n_threads, [&](const Parallel& p) { self.add_squares(rows, p); });
}

void partial_move(Partial& self, const AnyRows& array, const std::optional<Weights>& weights, std::size_t row,
                  std::pair<std::size_t, std::size_t> clusters) {
    const Rows rows = view(array, weights);
    check_rows(self, rows);
    require(row < rows.n_rows && clusters.first < self.n_clusters() && clusters.second < self.n_clusters(),
            "row or cluster out of range");
    self.move(rows, row, clusters.first, clusters.second);
}

Result<double, nb::ndim<1>> partial_counts(const Partial& self) {
    auto out = make_buffer<double>(self.n_clusters());
    for (std::size_t j = 0; j < self.n_clusters(); ++j) out.data[j] = self.count(j);
    return {out.data, {self.n_clusters()}, out.owner};
}

Result<double, nb::ndim<2>> partial_means(const Partial& self, const CenterArray& previous) {
    require(previous.shape(0) == self.n_clusters() && previous.shape(1) == self.n_features(),
            "previous centers must have the Partial's shape");
    auto out = make_buffer<double>(self.n_clusters() * self.n_features());
    std::copy_n(previous.data(), self.n_clusters() * self.n_features(), out.data);
    self.means(out.data);
    return {out.data, {self.n_clusters(), self.n_features()}, out.owner};
}

std::pair<double, double> partial_inertia(const Partial& self, const CenterArray& centers) {
    require(centers.shape(0) == self.n_clusters() && centers.shape(1) == self.n_features(),
            "centers must have the Partial's shape");
    const Inertia inertia = self.inertia_within({centers.data(), centers.shape(0), centers.shape(1)});
    return {inertia.value, inertia.error};
}

Result<double, nb::ndim<1>> origin_of(const Values& low, const Values& high) {
    require(low.shape(0) == high.shape(0), "low and high must have one value a feature");
    const std::vector<double> origin =
        exact_origin({low.data(), low.data() + low.shape(0)}, {high.data(), high.data() + high.shape(0)});
    auto out = make_buffer<double>(origin.size());
    std::copy(origin.begin(), origin.end(), out.data);
    return {out.data, {origin.size()}, out.owner};
}

nb::dict cpu() {
    nb::dict variants;
    for (const Variant& variant : kernel_variants()) variants[variant.name.c_str()] = variant.supported;
    nb::dict info;
    info["variant"] = kernels().name;
    info["reason"] = selection_reason();
    info["variants"] = variants;
    return info;
}

}  // namespace

NB_MODULE(_core, m) {
    m.doc() = "kmosaic's native core: the assignment step, sums and distances over rows in memory.";
    m.def("assign", &assign_rows, "rows"_a, "centers"_a, "labels"_a, "n_threads"_a,
          "Write each row's nearest centre (ties: the lowest) into labels; return how many labels changed.");
    m.def("squared_distances", &distance_matrix, "rows"_a, "centers"_a, "n_threads"_a,
          "Squared distances (n_rows, n_centers), float64.");
    m.def("own_squared_distances", &own_distances, "rows"_a, "centers"_a, "labels"_a, "n_threads"_a,
          "Each row's squared distance to the centre its label names.");
    m.def("canonical_order", &ordered, "rows"_a, "n_threads"_a,
          "Row numbers ordered by a hash of the rows' values, and where each run of equal rows starts.");
    m.def("exact_origin", &origin_of, "low"_a, "high"_a,
          "An origin each feature's values can be taken from exactly, given their ranges.");
    m.def("cpu", &cpu, "The instruction set in use, why, and those of this build.");
    m.def("select_cpu", &select_kernels, "name"_a = "",
          "Use the named instruction set; '' means KMOSAIC_CPU's, or the best.");

    nb::class_<Assigner>(m, "Assigner", "The assignment step of the same rows, call after call.")
        .def("__init__", &make_assigner, "rows"_a, "n_threads"_a, nb::keep_alive<1, 2>());

    nb::class_<Seeder>(m, "Seeder", "Greedy k-means++, seed by seed.")
        .def("__init__", &make_seeder, "rows"_a, "weights"_a.none(), "order"_a, "assigner"_a.none(),
             nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>(), nb::keep_alive<1, 4>(), nb::keep_alive<1, 5>())
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

    nb::class_<Partial>(m, "Partial", "Sums of rows by cluster: what a block contributes to the update step.")
        .def(
            "__init__",
            [](Partial* self, std::size_t n_clusters, const Values& origin, bool integer) {
                new (self) Partial(make_partial(n_clusters, origin, integer));
            },
            "n_clusters"_a, "origin"_a, "integer"_a)
        .def("add", &partial_add, "rows"_a, "weights"_a.none(), "labels"_a, "n_threads"_a,
             "Add rows to the clusters their labels name.")
        .def("add_squares", &partial_add_squares, "rows"_a, "weights"_a.none(), "n_threads"_a,
             "Add the rows' weighted sum of squares.")
        .def("merge", &Partial::merge, "other"_a, "Add another Partial.")
        .def("move", &partial_move, "rows"_a, "weights"_a.none(), "row"_a, "clusters"_a,
             "Take a row from clusters[0] and give it to clusters[1].")
        .def("clear", &Partial::clear, "Forget sums and counts; keep the sum of squares.")
        .def_prop_ro("counts", &partial_counts, nb::rv_policy::automatic,
                     "The total weight of each cluster's rows.")
        .def("means", &partial_means, "previous"_a,
             "Each cluster's mean; without weight, its row of previous.")
        .def("inertia", &partial_inertia, "centers"_a,
             "J of the added rows at these centers, and a bound of its error.");
}

}  // namespace kmosaic
