// Sums of rows, and all results of a ClusterSums in one vector.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "samples.hpp"
#include "update/cluster_sums.hpp"
#include "update/slice_spacings.hpp"

namespace kmosaic::testing {

inline Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

inline ClusterSums empty_sums(const Rows& rows, std::size_t k) {
    if (rows.integer() && !rows.weights) return {k, rows.n_features};
    const std::vector<double> zeros(rows.n_features, 0.0);
    const ValueRange range = rows.integer() ? ValueRange{zeros, zeros} : range_of_reals(rows, threads(2));
    const std::vector<double> origin = exact_origin(range.low, range.high);
    if (!rows.weights) return {k, origin, slice_spacings(rows, origin, range, threads(2))};
    WeightedSpacings spacings = weighted_spacings(rows, origin, range, threads(2));
    return {k, origin, std::move(spacings.sums), std::move(spacings.weights)};
}

inline ClusterSums sums_of(const Rows& rows, std::size_t k, const std::vector<std::int32_t>& labels,
                           std::size_t n_threads) {
    ClusterSums sums = empty_sums(rows, k);
    sums.add(rows, labels.data(), threads(n_threads));
    sums.add_squares(rows, threads(n_threads));
    return sums;
}

// Counts, means and J at those means and at another place.
inline std::vector<double> facts(const ClusterSums& sums, std::size_t n_threads = 1) {
    const std::size_t k = sums.n_clusters(), d = sums.n_features();
    std::vector<double> centers(k * d, 7.5);
    const double elsewhere = sums.inertia({centers.data(), k, d}, threads(n_threads)).value;
    sums.means(centers.data(), threads(n_threads));
    std::vector<double> result = centers;
    for (std::size_t j = 0; j < k; ++j) result.push_back(sums.count(j));
    result.push_back(sums.inertia({centers.data(), k, d}, threads(n_threads)).value);
    result.push_back(elsewhere);
    return result;
}

inline std::vector<std::int32_t> random_labels(std::size_t n, std::size_t k, Random& random) {
    std::vector<std::int32_t> labels(n);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(below(random, k));
    return labels;
}

}  // namespace kmosaic::testing
