// The Python module: arrays in, arrays out, the GIL released in between, Ctrl-C checked.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "assign/assign.hpp"
#include "assign/assigner.hpp"
#include "bindings/arrays.hpp"
#include "bindings/gil.hpp"
#include "bindings/parts.hpp"
#include "bindings/thread_limit.hpp"
#include "core/hash_order.hpp"
#include "exact/distances.hpp"
#include "kernels/dispatch.hpp"
#include "update/cluster_sums.hpp"
#include "update/label_changes.hpp"
#include "update/slice_spacings.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace kmosaic {
namespace {

using MutableCenters = Array<double, nb::ndim<2>>;
// int32, or uint8 of few clusters and features.
using LabelsOfAnySize = Array<nb::ndim<1>>;
// Without a branch per row, so that it costs little compared to any work on rows.
void check_labels(const Labels& labels, const Rows& rows, std::size_t n_clusters) {
    require(labels.shape(0) == rows.n_rows, "labels must have one value a row");
    const auto limit = static_cast<std::int32_t>(std::min<std::size_t>(n_clusters, INT32_MAX));
    const std::int32_t* label = labels.data();
    int bad = 0;
    for (std::size_t i = 0; i < rows.n_rows; ++i) bad |= (label[i] < 0) | (label[i] >= limit);
    require(!bad, "labels must be cluster numbers");
}

LabelArray checked_step(const Rows& rows, const Centers& centers, const LabelsOfAnySize& labels,
                        const LabelChanges* changes) {
    require(labels.shape(0) == rows.n_rows, "labels must have one value a row");
    require(!changes || same_rows(changes->rows(), rows), "changes must be of these rows");
    require(!changes || changes->n_clusters() == centers.n_clusters,
            "changes must be of as many clusters as centers");
    if (labels.dtype() == nb::dtype<std::int32_t>()) return static_cast<std::int32_t*>(labels.data());
    if (labels.dtype() != nb::dtype<std::uint8_t>()) throw nb::type_error("labels must be int32 or uint8");
    require(centers.n_clusters <= kMaxSmallLabels && rows.n_features <= kLowDimFeatures,
            "labels of a byte are for at most 255 clusters and 32 features");
    return LabelArray(static_cast<std::uint8_t*>(labels.data()));
}

// Each feature's least and greatest value.
using Int16Pair = std::pair<std::vector<std::uint16_t>, std::vector<std::uint16_t>>;

std::optional<Int16Pair> int16_range_of(const AnyRows& array, std::size_t n_threads) {
    const Rows rows = rows_of(array);
    const Kernels& table = kernels();
    if (choose_plan(rows, 1, 1, table).path != Path::kInt16) return std::nullopt;
    Int16Range range =
        without_gil(n_threads, [&](const Parallel& p) { return int16_range(rows, *table.int16, p); });
    return Int16Pair{std::move(range.low), std::move(range.high)};
}

std::size_t assign_rows(const AnyRows& array, const CenterArray& centers, const LabelsOfAnySize& labels,
                        std::size_t n_threads, LabelChanges* changes, const std::optional<Int16Pair>& int16) {
    const Rows rows = rows_of(array);
    const Centers c = centers_of(centers, rows);
    const LabelArray out = checked_step(rows, c, labels, changes);
    std::optional<Int16Range> range;
    if (int16) range.emplace(Int16Range{int16->first, int16->second});
    require(!range || (range->low.size() == rows.n_features && range->high.size() == rows.n_features),
            "int16_range must be of as many features as rows");
    return without_gil(n_threads, [&](const Parallel& p) {
        return assign(rows, c, out, p, changes, range ? &*range : nullptr);
    });
}

std::size_t assign_again(Assigner& self, const CenterArray& centers, const LabelsOfAnySize& labels,
                         std::size_t n_threads, LabelChanges* changes) {
    const Centers c = centers_of(centers, self.rows());
    const LabelArray out = checked_step(self.rows(), c, labels, changes);
    return without_gil(n_threads, [&](const Parallel& p) { return self.assign(c, out, p, changes); });
}

nb::dict steps_by_path(const Assigner& self) {
    nb::dict steps;
    for (std::size_t p = 0; p < kPaths; ++p)
        if (self.n_steps()[p] > 0) steps[name_of(static_cast<Path>(p))] = self.n_steps()[p];
    return steps;
}

Result<double, nb::ndim<2>> distance_matrix(const AnyRows& array, const CenterArray& centers,
                                            std::size_t n_threads) {
    const Rows rows = rows_of(array);
    const Centers c = centers_of(centers, rows);
    auto out = make_buffer<double>(rows.n_rows * c.n_clusters);
    without_gil(n_threads, [&](const Parallel& p) { squared_distances(rows, c, out.data, p); });
    return {out.data, {rows.n_rows, c.n_clusters}, out.owner};
}

Result<double, nb::ndim<1>> own_distances(const AnyRows& array, const CenterArray& centers,
                                          const Labels& labels, std::size_t n_threads) {
    const Rows rows = rows_of(array);
    const Centers c = centers_of(centers, rows);
    check_labels(labels, rows, c.n_clusters);
    auto out = make_buffer<double>(rows.n_rows);
    without_gil(n_threads,
                [&](const Parallel& p) { own_squared_distances(rows, c, labels.data(), out.data, p); });
    return {out.data, {rows.n_rows}, out.owner};
}

std::pair<Result<std::int64_t, nb::ndim<1>>, Result<std::int64_t, nb::ndim<1>>> ordered(
    const AnyRows& array, std::size_t n_threads) {
    const Rows rows = rows_of(array);
    const HashOrder order = without_gil(n_threads, [&](const Parallel& p) { return hash_order(rows, p); });
    return {copied(order.rows), copied(order.starts)};
}

using SmallLabels = Array<std::uint8_t, nb::ndim<1>>;

void widen_labels(const SmallLabels& small, const MutableLabels& labels, std::size_t n_threads) {
    require(labels.shape(0) == small.shape(0), "labels must have as many values as small");
    without_gil(n_threads, [&](const Parallel& p) {
        widen(LabelArray(small.data()), small.shape(0), labels.data(), p);
    });
}

void make_cluster_sums(ClusterSums* self, std::size_t n_clusters, const Values& origin,
                       const std::vector<double>& spacings, const std::vector<double>& weight_spacings) {
    require_clusters(n_clusters);
    require(origin.shape(0) > 0, "origin must have one value a feature");
    require(spacings.size() <= kMaxSlices && weight_spacings.size() <= kMaxSlices,
            "there are too many spacings");
    if (spacings.empty())
        new (self) ClusterSums(n_clusters, origin.shape(0));
    else
        new (self) ClusterSums(n_clusters, vector_of(origin), spacings, weight_spacings);
}

void check_rows(const ClusterSums& sums, const Rows& rows) {
    require(rows.n_features == sums.n_features(), "rows must have as many features as the ClusterSums");
    require(sums.integer() == (rows.integer() && !rows.weights),
            "an integer ClusterSums takes unweighted integer rows, and no others");
    require(sums.weighted() == (rows.weights != nullptr),
            "a ClusterSums with spacings for weights takes weighted rows, and no others");
}

void make_label_changes(LabelChanges* self, const AnyRows& array, const std::optional<Weights>& weights,
                        const ClusterSums& sums) {
    const Rows rows = rows_of(array, weights);
    check_rows(sums, rows);
    new (self) LabelChanges(rows, sums.sums());
}

void cluster_sums_apply(ClusterSums& self, LabelChanges& changes, const std::optional<Labels>& labels,
                        std::size_t n_threads) {
    require(changes.n_clusters() == self.n_clusters() && changes.fit(self.sums()),
            "changes must be of the same clusters and sums");
    check_rows(self, changes.rows());
    // Labels are only looked at where all rows are summed anew.
    if (!changes.complete()) {
        require(labels.has_value(), "labels are needed unless sums are few");
        check_labels(*labels, changes.rows(), self.n_clusters());
    }
    without_gil(n_threads,
                [&](const Parallel& p) { self.apply(changes, labels ? labels->data() : nullptr, p); });
}

void cluster_sums_add(ClusterSums& self, const AnyRows& array, const std::optional<Weights>& weights,
                      const Labels& labels, std::size_t n_threads) {
    const Rows rows = rows_of(array, weights);
    check_rows(self, rows);
    check_labels(labels, rows, self.n_clusters());
    without_gil(n_threads, [&](const Parallel& p) { self.add(rows, labels.data(), p); });
}

void cluster_sums_add_squares(ClusterSums& self, const AnyRows& array, const std::optional<Weights>& weights,
                              std::size_t n_threads) {
    const Rows rows = rows_of(array, weights);
    check_rows(self, rows);
    without_gil(n_threads, [&](const Parallel& p) { self.add_squares(rows, p); });
}

void cluster_sums_move(ClusterSums& self, const AnyRows& array, const std::optional<Weights>& weights,
                       std::size_t row, std::pair<std::size_t, std::size_t> clusters) {
    const Rows rows = rows_of(array, weights);
    check_rows(self, rows);
    require(row < rows.n_rows && clusters.first < self.n_clusters() && clusters.second < self.n_clusters(),
            "row or cluster out of range");
    self.move(rows, row, clusters.first, clusters.second);
}

ClusterSums cluster_sums_emptied(const ClusterSums& self, std::size_t n_clusters) {
    require_clusters(n_clusters);
    return self.emptied(n_clusters);
}

Result<double, nb::ndim<1>> cluster_sums_counts(const ClusterSums& self) {
    std::vector<double> counts;
    for (std::size_t j = 0; j < self.n_clusters(); ++j) counts.push_back(self.count(j));
    return copied(counts);
}

bool cluster_sums_outweighs(const ClusterSums& self, std::size_t cluster, double weight) {
    require(cluster < self.n_clusters(), "cluster out of range");
    return self.outweighs(cluster, weight);
}

Centers centers_of(const CenterArray& centers, const ClusterSums& sums) {
    require(centers.shape(0) == sums.n_clusters() && centers.shape(1) == sums.n_features(),
            "centers must have the shape of the sums");
    return {centers.data(), centers.shape(0), centers.shape(1)};
}

Result<double, nb::ndim<2>> cluster_sums_means(const ClusterSums& self, const CenterArray& previous,
                                               std::size_t n_threads) {
    const Centers centers = centers_of(previous, self);
    auto out = make_buffer<double>(previous.size());
    std::copy_n(centers.data, previous.size(), out.data);
    without_gil(n_threads, [&](const Parallel& p) { self.means(out.data, p); });
    return {out.data, {self.n_clusters(), self.n_features()}, out.owner};
}

std::pair<double, double> cluster_sums_update(const ClusterSums& self, const MutableCenters& centers,
                                              std::size_t n_threads) {
    require(centers.shape(0) == self.n_clusters() && centers.shape(1) == self.n_features(),
            "centers must have the shape of the sums");
    const Inertia inertia =
        without_gil(n_threads, [&](const Parallel& p) { return self.update(centers.data(), p); });
    return {inertia.value, inertia.error};
}

std::pair<double, double> cluster_sums_inertia(const ClusterSums& self, const CenterArray& centers,
                                               std::size_t n_threads) {
    const Centers c = centers_of(centers, self);
    const Inertia inertia = without_gil(n_threads, [&](const Parallel& p) { return self.inertia(c, p); });
    return {inertia.value, inertia.error};
}

Result<double, nb::ndim<1>> origin_of(const Values& low, const Values& high) {
    require(low.shape(0) == high.shape(0), "low and high must have one value a feature");
    return copied(exact_origin(vector_of(low), vector_of(high)));
}

std::pair<std::vector<double>, std::vector<double>> range_of(const AnyRows& array, std::size_t n_threads) {
    const Rows rows = rows_of(array);
    require(!rows.integer(), "the range is for float rows");
    const ValueRange range =
        without_gil(n_threads, [&](const Parallel& p) { return range_of_reals(rows, p); });
    return {range.low, range.high};
}

std::vector<double> spacings_of(const AnyRows& array, const Values& origin, const Values& low,
                                const Values& high, std::size_t n_threads) {
    const Rows rows = rows_of(array);
    require(!rows.integer(), "spacings are for float rows");
    for (const Values* values : {&origin, &low, &high})
        require(values->shape(0) == rows.n_features, "origin, low and high must have one value a feature");
    return without_gil(n_threads, [&](const Parallel& p) {
        return slice_spacings(rows, vector_of(origin), {vector_of(low), vector_of(high)}, p);
    });
}

std::pair<std::vector<double>, std::vector<double>> weighted_spacings_of(
    const AnyRows& array, const Weights& weights, const Values& origin,
    const std::pair<std::vector<double>, std::vector<double>>& range, std::size_t n_threads) {
    const Rows rows = rows_of(array, weights);
    require(rows.weights != nullptr, "weights must be float64");
    for (const std::size_t n : {origin.shape(0), range.first.size(), range.second.size()})
        require(n == rows.n_features, "origin and range must have one value a feature");
    WeightedSpacings spacings = without_gil(n_threads, [&](const Parallel& p) {
        return weighted_spacings(rows, vector_of(origin), {range.first, range.second}, p);
    });
    return {std::move(spacings.sums), std::move(spacings.weights)};
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
    nb::class_<LabelChanges>(
        m, "LabelChanges",
        "Label changes of an assignment step: assign records them, ClusterSums.apply applies them.")
        .def("__init__", &make_label_changes, "rows"_a, "weights"_a.none(), "sums"_a, nb::keep_alive<1, 2>(),
             nb::keep_alive<1, 3>(), nb::keep_alive<1, 4>());
    m.def(
        "assign", &assign_rows, "rows"_a, "centers"_a, "labels"_a, "n_threads"_a,
        "changes"_a.none() = nb::none(), "int16_range"_a.none() = nb::none(),
        "Write each row's nearest centre (ties: the lowest) into labels; return how many labels changed.\n\n"
        "int16_range: that of these rows, or of more rows, where it is known.");
    m.def("int16_range", &int16_range_of, "rows"_a, "n_threads"_a,
          "Each feature's least and greatest value, of rows that the int16 filter takes; None of others.");
    bind_plan(m);
    nb::class_<Assigner>(
        m, "Assigner", "The assignment step of the same rows, call after call, each sped up by those before.")
        .def(
            "__init__",
            [](Assigner* self, const AnyRows& array, const std::optional<Weights>& counts,
               std::size_t steps_expected) {
                const Rows rows = rows_of(array, counts);
                static_assert(kLowDimFeatures == 32);
                require(steps_expected > 0, "steps_expected must be above 0");
                require(!rows.weights, "counts must be uint32");
                require(!rows.counts || rows.n_features <= kLowDimFeatures,
                        "counts are for rows of at most 32 features");
                new (self) Assigner(rows, steps_expected);
            },
            "rows"_a, "counts"_a.none(), "steps_expected"_a, nb::keep_alive<1, 2>(), nb::keep_alive<1, 3>())
        .def("assign", &assign_again, "centers"_a, "labels"_a, "n_threads"_a, "changes"_a.none() = nb::none(),
             "As the function assign; each label that changes counts as often as its row.")
        .def_prop_ro(
            "plan", [](const Assigner& self) { return self.plan(); }, nb::rv_policy::move,
            "The plan of the last call.")
        .def_prop_ro(
            "seeding_plan", [](const Assigner& self) { return self.seeding_plan(); }, nb::rv_policy::move,
            "The plan of the Seeder made last.")
        .def_prop_ro("n_steps", &steps_by_path, "How many calls took each path, by its name.");
    m.def("widen_labels", &widen_labels, "small"_a, "labels"_a, "n_threads"_a,
          "Write labels of a byte each, MAX_SMALL_LABELS for none, into int32 ones, -1 for none.");
    m.attr("LOW_DIM_FEATURES") = kLowDimFeatures;
    m.attr("MAX_SMALL_LABELS") = kMaxSmallLabels;
    m.def("squared_distances", &distance_matrix, "rows"_a, "centers"_a, "n_threads"_a,
          "Squared distances (n_rows, n_centers), float64.");
    m.def("own_squared_distances", &own_distances, "rows"_a, "centers"_a, "labels"_a, "n_threads"_a,
          "Each row's squared distance to the centre its label names.");
    m.def("hash_order", &ordered, "rows"_a, "n_threads"_a,
          "Row numbers ordered by a hash of the rows' values, and where each run of equal rows starts.");
    m.def("exact_origin", &origin_of, "low"_a, "high"_a,
          "An origin each feature's values can be taken from exactly, given their ranges.");
    m.def("value_range", &range_of, "rows"_a, "n_threads"_a,
          "The least and the greatest value of each feature of float rows.");
    m.def("slice_spacings", &spacings_of, "rows"_a, "origin"_a, "low"_a, "high"_a, "n_threads"_a,
          "The slice spacings by which float rows are summed exactly.");
    m.def("weighted_spacings", &weighted_spacings_of, "rows"_a, "weights"_a, "origin"_a, "range"_a,
          "n_threads"_a,
          "The slice spacings of weighted sums, none where products leave float64's range; and those of the "
          "weights.");
    bind_neighbours(m);
    bind_nearest_within(m);
    m.def("cpu", &cpu, "The instruction set in use, why, and those of this build.");
    m.def("select_cpu", &select_kernels, "name"_a = "",
          "Use the named instruction set; '' means KMOSAIC_CPU's, or the best.");
    // A daemon thread may hold a ClusterSums when the program ends: nanobind need not warn of it.
    nb::set_leak_warnings(false);
    nb::module_::import_("atexit").attr("register")(nb::cpp_function(&leave_python));
    m.def("thread_limit", &thread_limit,
          "The most threads a call from this thread may use, as threadpoolctl limits it; 0: no limit.");

    bind_colours(m);
    bind_distinct_rows(m);
    bind_superpixels(m);
    bind_seeding(m);

    nb::class_<ClusterSums> cluster_sums(
        m, "ClusterSums", "Sums of rows by cluster: what a block contributes to the update step.");
    cluster_sums
        .def("__init__", &make_cluster_sums, "n_clusters"_a, "origin"_a, "spacings"_a = std::vector<double>(),
             "weight_spacings"_a = std::vector<double>(),
             "Of unweighted integer rows if there are no spacings.")
        .def("add", &cluster_sums_add, "rows"_a, "weights"_a.none(), "labels"_a, "n_threads"_a,
             "Add rows to the clusters their labels name.")
        .def("apply", &cluster_sums_apply, "changes"_a, "labels"_a.none(), "n_threads"_a,
             "Bring the sums from the labels before an assignment to those after it. None will do for labels "
             "where sums are few.")
        .def("add_squares", &cluster_sums_add_squares, "rows"_a, "weights"_a.none(), "n_threads"_a,
             "Add the rows' weighted sum of squares.")
        .def("merge", &ClusterSums::merge, "other"_a, "Add another ClusterSums of the same shape.")
        .def("emptied", &cluster_sums_emptied, "n_clusters"_a,
             "A ClusterSums of the same rows in n_clusters clusters: their squares, and no sums yet.")
        .def("move", &cluster_sums_move, "rows"_a, "weights"_a.none(), "row"_a, "clusters"_a,
             "Take a row, or one of the equal rows it stands for, from clusters[0] and give it to "
             "clusters[1].")
        .def("clear", &ClusterSums::clear, "Forget sums and counts; keep the sum of squares.")
        .def_prop_ro("n_clusters", &ClusterSums::n_clusters, "How many clusters there are.")
        .def_prop_ro("n_features", &ClusterSums::n_features, "How many features rows have.")
        .def_prop_ro("counts", &cluster_sums_counts, nb::rv_policy::automatic,
                     "The total weight of each cluster's rows.")
        .def("outweighs", &cluster_sums_outweighs, "cluster"_a, "weight"_a,
             "Whether a cluster has more weight than this, one of its rows', decided without rounding.")
        .def("means", &cluster_sums_means, "previous"_a, "n_threads"_a = 1,
             "Each cluster's mean; without weight, its row of previous.")
        .def("update", &cluster_sums_update, "centers"_a.noconvert(), "n_threads"_a = 1,
             "Move centers to their clusters' means, in place; one without weight stays. Returns what "
             "inertia returns there.")
        .def("inertia", &cluster_sums_inertia, "centers"_a, "n_threads"_a = 1,
             "J of the added rows at these centers, and a bound of its error.");
    bind_blocks(m, cluster_sums);
    bind_sparse(m, cluster_sums);
    bind_row_parts(m);
}

}  // namespace kmosaic
