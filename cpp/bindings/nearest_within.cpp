#include "exact/nearest_within.hpp"

#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"

namespace kmosaic {

using namespace nb::literals;

namespace {

// Without a branch per row.
void check_ranges(const Labels& first, const Labels& count, const Rows& rows, const Centers& centers) {
    require(first.shape(0) == rows.n_rows && count.shape(0) == rows.n_rows,
            "first and count must have one value a row");
    int bad = 0;
    for (std::size_t i = 0; i < rows.n_rows; ++i) {
        const std::int64_t begin = first.data()[i], n = count.data()[i];
        bad |= (begin < 0) | (n < 1) | (begin + n > static_cast<std::int64_t>(centers.n_clusters));
    }
    require(!bad, "each row needs a range of at least one of the centers");
}

std::size_t assign_within(const AnyRows& array, const CenterArray& centers, const Labels& first,
                          const Labels& count, const MutableLabels& labels, std::size_t n_threads) {
    const Rows rows = rows_of(array);
    const Centers c = centers_of(centers, rows);
    check_ranges(first, count, rows, c);
    require(labels.shape(0) == rows.n_rows, "labels must have one value a row");
    return without_gil(n_threads, [&](const Parallel& p) {
        return nearest_within(rows, c, first.data(), count.data(), labels.data(), p);
    });
}

// Every step leads to a higher node, so that each way down ends.
void check_tree(const Labels& first, const Labels& count, const Centers& nodes) {
    require(first.shape(0) == nodes.n_clusters && count.shape(0) == nodes.n_clusters,
            "first and count must have one value a node");
    for (std::size_t node = 0; node < nodes.n_clusters; ++node) {
        const std::int64_t begin = first.data()[node], n = count.data()[node];
        require(n >= 0 && (n == 0 || (begin > static_cast<std::int64_t>(node) &&
                                      begin + n <= static_cast<std::int64_t>(nodes.n_clusters))),
                "the children of a node must be nodes after it");
    }
}

Result<std::int32_t, nb::ndim<1>> find_leaves(const AnyRows& array, const CenterArray& centers,
                                              const Labels& first, const Labels& count,
                                              std::size_t n_threads) {
    const Rows rows = rows_of(array);
    const Centers nodes = centers_of(centers, rows);
    check_tree(first, count, nodes);
    auto leaves = make_buffer<std::int32_t>(rows.n_rows);
    without_gil(n_threads,
                [&](const Parallel& p) { descend(rows, nodes, first.data(), count.data(), leaves.data, p); });
    return {leaves.data, {rows.n_rows}, leaves.owner};
}

}  // namespace

void bind_nearest_within(nb::module_& m) {
    m.def("nearest_within", &assign_within, "rows"_a, "centers"_a, "first"_a, "count"_a, "labels"_a,
          "n_threads"_a,
          "Write each row's nearest among its own `count` centres from `first` on (ties: the lowest) into "
          "labels; return how many labels changed.");
    m.def("descend", &find_leaves, "rows"_a, "centers"_a, "first"_a, "count"_a, "n_threads"_a,
          "The node without children that each row comes to from node 0: at each node it goes to the nearest "
          "of "
          "its `count` children (ties: the lowest), which are consecutive from `first` on and after it.");
}

}  // namespace kmosaic
