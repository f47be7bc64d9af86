// Partials of rows, and all that a Partial tells.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "kmeans/partial.hpp"
#include "kmeans/sum_grids.hpp"
#include "samples.hpp"

namespace kmosaic::testing {

inline Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

inline Partial empty_partial(const Rows& rows, std::size_t k) {
    if (rows.integer() && !rows.weights) return {k, rows.n_features};
    const std::vector<double> zeros(rows.n_features, 0.0);
    const ValueRange range = rows.integer() ? ValueRange{zeros, zeros} : range_of_reals(rows, threads(2));
    const std::vector<double> origin = exact_origin(range.low, range.high);
    if (!rows.weights) return {k, origin, sum_grids(rows, origin, range, threads(2))};
    WeightedGrids grids = weighted_grids(rows, origin, range, threads(2));
    return {k, origin, std::move(grids.sums), std::move(grids.weights)};
}

inline Partial partial_of(const Rows& rows, std::size_t k, const std::vector<std::int32_t>& labels,
                          std::size_t n_threads) {
    Partial partial = empty_partial(rows, k);
    partial.add(rows, labels.data(), threads(n_threads));
    partial.add_squares(rows, threads(n_threads));
    return partial;
}

// Counts, means and J at those means and at another place.
inline std::vector<double> facts(const Partial& partial, std::size_t n_threads = 1) {
    const std::size_t k = partial.n_clusters(), d = partial.n_features();
    std::vector<double> centers(k * d, 7.5);
    const double elsewhere = partial.inertia_within({centers.data(), k, d}, threads(n_threads)).value;
    partial.means(centers.data(), threads(n_threads));
    std::vector<double> result = centers;
    for (std::size_t j = 0; j < k; ++j) result.push_back(partial.count(j));
    result.push_back(partial.inertia_within({centers.data(), k, d}, threads(n_threads)).value);
    result.push_back(elsewhere);
    return result;
}

inline std::vector<std::int32_t> random_labels(std::size_t n, std::size_t k, Random& random) {
    std::vector<std::int32_t> labels(n);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(below(random, k));
    return labels;
}

}  // namespace kmosaic::testing
