// What the assignment step with bounds keeps from one call to the next: the quantised rows and centroids, and
// for each row an upper bound of the distance to its own centroid and lower bounds of the distances to the
// others.
//
// All distances are in code units (quantized_rows.hpp). The bounds hold for the centroids of the last update:
// L14 in docs/developer/proof.md. A build with KMOSAIC_CHECK_BOUNDS checks them after every step
// (check_bounds.hpp).
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "filters/quantized_centers.hpp"

namespace kmosaic {

constexpr std::uint16_t kMaxUnits = 0xFFFF;

struct BoundState {
    BoundState(const Rows& all_rows, const CodedRows& coded, std::size_t most_groups);

    // Forgets all bounds; `n_clusters` centroids are to come.
    void start(std::size_t n_clusters);
    // Lowers the groups' bounds to 0.
    void reset_groups();

    Rows rows;
    const Kernels& table;
    const QuantizedRows& codes;
    const PcaCodes& pca_codes;
    std::size_t max_groups;
    std::vector<QuantizedCenters> centers;       // one, once there are any
    std::vector<std::uint32_t> groups_of_panel;  // a bit for each group
    FastCenters fast_centers;                    // of this step; group_drift leaves out how far they moved
    std::size_t n_calls = 0;

    // Upper bounds of d(row, own centroid): upper + upper_slack.
    std::vector<std::int32_t> labels;  // the own centroids; -1: the row has no bounds
    std::vector<float> upper;          // when the row was last measured
    std::vector<float> upper_slack;    // how far its centroid has moved since

    // Lower bounds of d(row, centroid) of up to kNeighbours other centroids: bound -
    // center_drift_totals[centroid].
    std::vector<Neighbour> neighbours;        // [row][kNeighbours]
    std::vector<double> center_drift_totals;  // [centroid], since the start

    // Lower bounds of the least d(row, centroid) of each group's centroids but the own one and the neighbours:
    // lower * unit - group_drift[group]. Moves change group_drift only (BoundedAssigner::follow).
    std::vector<std::uint16_t> lower;  // [row][group]
    float unit;
    std::vector<double> group_drift;  // [group], since the last reset

    std::vector<float> center_drift;       // [centroid], in this call
    std::atomic<std::size_t> n_pruned{0};  // products of rows and panels in this call
    bool settled = false;                  // whether few labels changed in the last call
    float lookahead_drift = 0;             // if so, the largest drift of a group in this call; else 0
};

}  // namespace kmosaic
