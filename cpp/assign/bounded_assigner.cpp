#include "assign/bounded_assigner.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <numeric>

#include "assign/bounded_worker.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 768;
// Without bounds every row meets every centroid, and many of them are kept while its block is worked on.
constexpr std::size_t kFirstBlock = 96;
// Centroids are grouped anew before these calls: at first they move far.
constexpr std::size_t kRegroupingCalls[] = {3, 10};
// Movers pay where the farthest moves so many times as far as the first that is left in its group.
constexpr double kFar = 1.3;
// A call is calm where no more than one label in so many changes.
constexpr std::size_t kSettledShare = 128;
// Bounds of groups reach so many times as far as the farthest row is from the mean: twice as far centroids may be from it,
// and half is left for what they travel.
constexpr float kReach = 4;

}  // namespace

BoundedAssigner::BoundedAssigner(const Rows& rows, const CodedRows& coded, std::size_t max_groups)
    : rows_(rows),
      table_(coded.table),
      codes_(coded.quantized),
      pca_codes_(coded.pca_codes),
      max_groups_(max_groups),
      labels_(rows.n_rows, -1),
      neighbours_(rows.n_rows * kNeighbours),
      upper_(rows.n_rows, 0.0F),
      upper_slack_(rows.n_rows, 0.0F),
      unit_(kReach * (pca_codes_.largest_norm() > 0 ? pca_codes_.largest_norm() : 1.0F) / kMaxUnits) {}

void BoundedAssigner::start(std::size_t n_clusters) {
    centroids_.clear();
    centroids_.emplace_back(codes_, pca_codes_, table_, n_clusters, max_groups_);
    const CenterGroups& center_groups = centroids_.front().center_groups();
    const std::size_t n_groups = center_groups.n_groups;
    groups_of_panel_.assign(center_groups.n_panels(), 0);
    for (std::size_t lane = 0; lane < n_groups * center_groups.lanes_per_group; ++lane)
        groups_of_panel_[lane / kPanelWidth] |= 1U << center_groups.group_of_lane(lane);
    fast_centers_.excluded = 0xFFFF;
    n_calls_ = 0;
    std::fill(labels_.begin(), labels_.end(), -1);
    std::fill(neighbours_.begin(), neighbours_.end(), Neighbour{});
    lower_.assign(rows_.n_rows * n_groups, 0);
    group_drift_.assign(n_groups, 0.0);
    center_drift_.assign(n_clusters, 0.0F);
    center_drift_totals_.assign(n_clusters, 0.0);
}

void BoundedAssigner::follow(const std::vector<double>& moved) {
    const CenterGroups& center_groups = centroids_.front().center_groups();
    choose_fast_centers(moved);
    std::vector<double> most(center_groups.n_groups, 0.0);
    for (std::size_t j = 0; j < moved.size(); ++j) {
        center_drift_[j] = static_cast<float>(moved[j] * kMore);
        center_drift_totals_[j] += moved[j];
        if (fast_centers_.any() && fast_centers_.bit(static_cast<std::int32_t>(j))) continue;
        double& group = most[center_groups.group_of_lane(static_cast<std::size_t>(center_groups.lane_of[j]))];
        group = std::max(group, moved[j]);
    }
    for (std::size_t g = 0; g < most.size(); ++g) group_drift_[g] += most[g];
    lookahead_drift_ = settled_ ? static_cast<float>(*std::max_element(most.begin(), most.end())) : 0;
    const double farthest = *std::max_element(group_drift_.begin(), group_drift_.end());
    // What has been travelled is part of what is kept, and leaves it no room.
    if (farthest > static_cast<double>(unit_) * kMaxUnits / 2) forget();
}

// The farthest movers, where they move much farther than the rest and groups hold several centroids.
void BoundedAssigner::choose_fast_centers(const std::vector<double>& moved) {
    fast_centers_.excluded = 0xFFFF;
    if (moved.size() <= 2 * kPanelWidth || centroids_.front().center_groups().lanes_per_group == 1) return;
    std::vector<std::size_t> order(moved.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::partial_sort(
        order.begin(), order.begin() + kPanelWidth + 1, order.end(),
        [&](std::size_t a, std::size_t b) { return moved[a] != moved[b] ? moved[a] > moved[b] : a < b; });
    if (!(moved[order[0]] > kFar * moved[order[kPanelWidth]])) return;
    order.resize(kPanelWidth);
    while (!order.empty() && moved[order.back()] == 0) order.pop_back();
    centroids_.front().gather(order, fast_centers_);
}

// Lower bounds are of groups as they were.
void BoundedAssigner::forget() {
    std::fill(lower_.begin(), lower_.end(), std::uint16_t{0});
    std::fill(group_drift_.begin(), group_drift_.end(), 0.0);
}

std::size_t BoundedAssigner::assign(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                                    LabelChanges* changes) {
    if (rows_.n_rows == 0) return 0;
    try {
        prepare(centers, parallel);
        return step(centers, labels, parallel, changes);
    } catch (...) {  // some bounds have followed the centroids, and some have not
        centroids_.clear();
        throw;
    }
}

// Brings codes and groups to where the centroids are now.
void BoundedAssigner::prepare(const Centers& centers, const Parallel& parallel) {
    if (centroids_.empty() || centroids_.front().center_groups().lane_of.size() != centers.n_clusters)
        start(centers.n_clusters);
    const std::vector<double>& moved = centroids_.front().update(centers, parallel);
    if (n_calls_ > 0) follow(moved);
    for (const std::size_t call : kRegroupingCalls) {
        if (n_calls_ != call) continue;
        centroids_.front().regroup(parallel);
        forget();
        fast_centers_.excluded = 0xFFFF;
    }
    ++n_calls_;
}

std::size_t BoundedAssigner::step(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                                  LabelChanges* changes) {
    std::atomic<std::size_t> changed{0};
    const std::size_t n_together = n_calls_ > 1 ? kBlock : kFirstBlock;
    parallel_for((rows_.n_rows + n_together - 1) / n_together, parallel, [&] {
        return [&, worker = BoundedWorker(*this, centers, labels, changes ? &changes->open_log() : nullptr)](
                   std::size_t block) mutable {
            const std::size_t first = block * n_together;
            changed += worker(first, std::min(n_together, rows_.n_rows - first));
        };
    });
    settled_ = changed < rows_.n_rows / kSettledShare;
    return changed;
}

}  // namespace kmosaic
