#include "assign/bounded_state.hpp"

#include <algorithm>

namespace kmosaic {

namespace {

// Lower bounds of groups reach this many times as far as the farthest row is from the mean: centroids may be
// twice as far away, and half of the reach is left for their drift.
constexpr float kReach = 4;

}  // namespace

BoundState::BoundState(const Rows& all_rows, const CodedRows& coded, std::size_t most_groups)
    : rows(all_rows),
      table(coded.table),
      codes(coded.quantized),
      pca_codes(coded.pca_codes),
      max_groups(most_groups),
      labels(rows.n_rows, -1),
      upper(rows.n_rows, 0.0F),
      upper_slack(rows.n_rows, 0.0F),
      neighbours(rows.n_rows * kNeighbours),
      unit(kReach * (pca_codes.largest_norm() > 0 ? pca_codes.largest_norm() : 1.0F) / kMaxUnits) {}

void BoundState::start(std::size_t n_clusters) {
    centers.clear();
    centers.emplace_back(codes, pca_codes, table, n_clusters, max_groups);
    const CenterGroups& groups = centers.front().center_groups();
    groups_of_panel.assign(groups.n_panels(), 0);
    for (std::size_t lane = 0; lane < groups.n_groups * groups.lanes_per_group; ++lane)
        groups_of_panel[lane / kPanelWidth] |= 1U << groups.group_of_lane(lane);
    fast_centers.excluded = 0xFFFF;
    n_calls = 0;
    std::fill(labels.begin(), labels.end(), -1);
    std::fill(neighbours.begin(), neighbours.end(), Neighbour{});
    lower.assign(rows.n_rows * groups.n_groups, 0);
    group_drift.assign(groups.n_groups, 0.0);
    center_drift.assign(n_clusters, 0.0F);
    center_drift_totals.assign(n_clusters, 0.0);
}

void BoundState::reset_groups() {
    std::fill(lower.begin(), lower.end(), std::uint16_t{0});
    std::fill(group_drift.begin(), group_drift.end(), 0.0);
}

}  // namespace kmosaic
