#include "assign/bounded_assigner.hpp"

#include <algorithm>
#include <numeric>

#include "assign/bounded_worker.hpp"
#ifdef KMOSAIC_CHECK_BOUNDS
#include "assign/check_bounds.hpp"
#endif

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 768;
// Without bounds every row is compared with every centroid, and many candidates are kept while a block is
// worked on.
constexpr std::size_t kFirstBlock = 96;
// Bytes that are not stored are made for a whole block, and stay in L2.
constexpr std::size_t kMadeBytes = std::size_t{1} << 18;
// Centroids are grouped anew before these calls: at first they move far.
constexpr std::size_t kRegroupingCalls[] = {3, 10};
// Fast centres pay if the fastest moves this many times as far as the fastest one that is left in its group.
constexpr double kFastRatio = 1.3;
// A call is settled if at most one label in this many changes.
constexpr std::size_t kSettledShare = 128;

std::size_t block_rows(const QuantizedRows& codes) {
    if (codes.stored()) return kBlock;
    return std::clamp<std::size_t>(kMadeBytes / codes.n_bytes(), 32, kBlock);
}

}  // namespace

// Adds how far the centroids moved to the drifts: this is how lower bounds fall. Upper bounds follow in
// kernels/bounds.cpp.
void BoundedAssigner::follow(const std::vector<double>& moved) {
    BoundState& s = state_;
    const CenterGroups& groups = s.centers.front().center_groups();
    choose_fast_centers(moved);
    std::vector<double> largest(groups.n_groups, 0.0);
    for (std::size_t j = 0; j < moved.size(); ++j) {
        s.center_drift[j] = static_cast<float>(moved[j] * kUp32);  // L14
        s.center_drift_totals[j] += moved[j];
        if (s.fast_centers.any() && s.fast_centers.bit(static_cast<std::int32_t>(j))) continue;
        double& drift = largest[groups.group_of_lane(static_cast<std::size_t>(groups.lane_of[j]))];
        drift = std::max(drift, moved[j]);
    }
    for (std::size_t g = 0; g < largest.size(); ++g) s.group_drift[g] += largest[g];
    s.lookahead_drift = s.settled ? static_cast<float>(*std::max_element(largest.begin(), largest.end())) : 0;
    // A stored bound contains the group's drift: past half of its reach the drift leaves too little for the
    // bound itself.
    const double farthest = *std::max_element(s.group_drift.begin(), s.group_drift.end());
    if (farthest > static_cast<double>(s.unit) * kMaxUnits / 2) s.reset_groups();
}

// Selects the fastest-moving centroids, if they move much farther than the others and groups hold several
// centroids.
void BoundedAssigner::choose_fast_centers(const std::vector<double>& moved) {
    const QuantizedCenters& centers = state_.centers.front();
    state_.fast_centers.excluded = 0xFFFF;
    if (moved.size() <= 2 * kPanelWidth || centers.center_groups().lanes_per_group == 1) return;
    std::vector<std::size_t> order(moved.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::partial_sort(
        order.begin(), order.begin() + kPanelWidth + 1, order.end(),
        [&](std::size_t a, std::size_t b) { return moved[a] != moved[b] ? moved[a] > moved[b] : a < b; });
    if (!(moved[order[0]] > kFastRatio * moved[order[kPanelWidth]])) return;
    order.resize(kPanelWidth);
    while (!order.empty() && moved[order.back()] == 0) order.pop_back();
    centers.gather(order, state_.fast_centers);
}

std::size_t BoundedAssigner::assign(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                                    LabelChanges* changes) {
    if (state_.rows.n_rows == 0) return 0;
    try {
        prepare(centers, parallel);
        const std::size_t changed = step(centers, labels, parallel, changes);
#ifdef KMOSAIC_CHECK_BOUNDS
        abort_on(bound_violation(state_, centers));
#endif
        return changed;
    } catch (...) {  // an interrupted step leaves bounds of different steps
        state_.centers.clear();
        throw;
    }
}

// Brings codes, groups and drifts to these centroids.
void BoundedAssigner::prepare(const Centers& centers, const Parallel& parallel) {
    BoundState& s = state_;
    if (s.centers.empty() || s.centers.front().center_groups().lane_of.size() != centers.n_clusters)
        s.start(centers.n_clusters);
    const std::vector<double>& moved = s.centers.front().update(centers, parallel);
    if (s.n_calls > 0) follow(moved);
    for (const std::size_t call : kRegroupingCalls) {
        if (s.n_calls != call) continue;
        s.centers.front().regroup(parallel);
        s.reset_groups();
        s.fast_centers.excluded = 0xFFFF;
    }
    ++s.n_calls;
}

std::size_t BoundedAssigner::step(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                                  LabelChanges* changes) {
    state_.n_pruned = 0;
    const std::size_t n_together = state_.n_calls > 1 ? block_rows(state_.codes) : kFirstBlock;
    const std::size_t changed = count_in_blocks(state_.rows.n_rows, n_together, parallel, [&] {
        return BoundedWorker(state_, centers, labels, changes, n_together);
    });
    state_.settled = changed < state_.rows.n_rows / kSettledShare;
    return changed;
}

}  // namespace kmosaic
