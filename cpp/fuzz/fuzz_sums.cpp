// Cluster sums after adding, moving and merging rows: means are those of brute force.
#include "assign/assign.hpp"
#include "input.hpp"
#include "reference.hpp"
#include "update/cluster_sums.hpp"
#include "update/label_changes.hpp"
#include "update/slice_spacings.hpp"

using namespace kmosaic;

namespace {

void check_means(const fuzzing::Case& c, const ClusterSums& sums, const std::vector<std::int32_t>& labels,
                 const Parallel& parallel) {
    const std::size_t d = c.shape.n_features;
    std::vector<double> means = c.places;
    sums.means(means.data(), parallel);
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
    std::vector<double> origin(rows.n_features, 0.0), spacings;
    if (!rows.integer()) {
        const ValueRange range = range_of_reals(rows, parallel);
        origin = exact_origin(range.low, range.high);
        try {
            spacings = slice_spacings(rows, origin, range, parallel);
        } catch (const std::invalid_argument&) {
            return 0;  // not finite, or too large
        }
    }
    ClusterSums sums = rows.integer() ? ClusterSums(c.shape.n_clusters, rows.n_features)
                                      : ClusterSums(c.shape.n_clusters, origin, spacings);
    sums.add_squares(rows, parallel);
    std::vector<std::int32_t> labels(rows.n_rows, -1);
    for (int step = 0; step < 3; ++step) {
        if (!fuzzing::finite(c.places)) return 0;
        LabelChanges changes(rows, sums.sums());
        assign(rows, c.centers(), labels.data(), parallel, &changes);
        sums.apply(changes, labels.data(), parallel);
        if (c.exact()) check_means(c, sums, labels, parallel);
        REQUIRE(!(sums.inertia(c.centers()).value < 0));
        const std::size_t row = in.below(rows.n_rows), to = in.below(c.shape.n_clusters);
        sums.move(rows, row, static_cast<std::size_t>(labels[row]), to);
        labels[row] = static_cast<std::int32_t>(to);
        if (c.exact()) check_means(c, sums, labels, parallel);
        ClusterSums twice(sums.state());
        twice.merge(sums);
        REQUIRE(twice.n_clusters() == c.shape.n_clusters);
        c.move_centers(in);
    }
    return 0;
}
