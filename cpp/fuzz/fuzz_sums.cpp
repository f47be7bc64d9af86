// Sums by cluster, added, moved, merged and sent: means are those of brute force, and J does not depend on how it came.
#include <stdexcept>

#include "input.hpp"
#include "kmeans/assign.hpp"
#include "kmeans/moves.hpp"
#include "kmeans/partial.hpp"
#include "kmeans/sum_grids.hpp"
#include "reference.hpp"

using namespace kmosaic;

namespace {

void check_means(const fuzzing::Case& c, const Partial& partial, const std::vector<std::int32_t>& labels,
                 const Parallel& parallel) {
    const std::size_t d = c.shape.n_features;
    std::vector<double> means = c.places;
    partial.means(means.data(), parallel);
    for (std::size_t j = 0; j < c.shape.n_clusters; ++j)
        for (std::size_t f = 0; f < d; ++f) {
            double sum = 0, count = 0;  // both exact
            for (std::size_t i = 0; i < labels.size(); ++i) {
                if (static_cast<std::size_t>(labels[i]) != j) continue;
                sum += c.value(i, f);
                ++count;
            }
            REQUIRE(means[j * d + f] == (count > 0 ? sum / count : c.places[j * d + f]));
        }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzzing::Input in(data, size);
    fuzzing::Case c(in);
    const Parallel parallel = fuzzing::threads(in);
    const Rows rows = c.rows();
    std::vector<double> origin(rows.n_features, 0.0), grids;
    if (!rows.integer()) {
        const ValueRange range = range_of_reals(rows, parallel);
        origin = exact_origin(range.low, range.high);
        try {
            grids = sum_grids(rows, origin, range, parallel);
        } catch (const std::invalid_argument&) {
            return 0;  // not finite, or too large
        }
    }
    Partial partial = rows.integer() ? Partial(c.shape.n_clusters, rows.n_features)
                                     : Partial(c.shape.n_clusters, origin, grids);
    partial.add_squares(rows, parallel);
    std::vector<std::int32_t> labels(rows.n_rows, -1);
    for (int step = 0; step < 3; ++step) {
        if (!fuzzing::finite(c.places)) return 0;
        Moves moves(rows, partial);
        assign(rows, c.centers(), labels.data(), parallel, &moves);
        partial.apply(moves, labels.data(), parallel);
        if (c.exact()) check_means(c, partial, labels, parallel);
        REQUIRE(!(partial.inertia(c.centers()) < 0));
        const std::size_t row = in.below(rows.n_rows), to = in.below(c.shape.n_clusters);
        partial.move(rows, row, static_cast<std::size_t>(labels[row]), to);
        labels[row] = static_cast<std::int32_t>(to);
        if (c.exact()) check_means(c, partial, labels, parallel);
        Partial twice(partial.state());
        twice.merge(partial);
        REQUIRE(twice.n_clusters() == c.shape.n_clusters);
        c.move_centers(in);
    }
    return 0;
}
