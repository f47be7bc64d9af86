// One thread's share of a step with bounds, a block of rows at a time: finds the rows whose bounds fail,
// labels them and stores their new bounds. See bounded_assigner.hpp.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "assign/active_row.hpp"
#include "assign/row_bounds.hpp"
#include "exact/exact_nearest.hpp"

namespace kmosaic {

class BoundedWorker {
  public:
    // On blocks of at most n_together rows.
    BoundedWorker(BoundState& state, const Centers& centers, std::int32_t* labels, LabelChanges* changes,
                  std::size_t n_together)
        : state_(state),
          codes_(state.centers.front()),
          center_groups_(codes_.center_groups()),
          n_clusters_(centers.n_clusters),
          labels_(labels),
          write_label_(labels, changes),
          n_groups_(center_groups_.n_groups),
          row_codes_(state.codes, n_together),
          bounds_(state),
          exact_nearest_(state.rows, centers, state.table) {}

    // Labels a block of rows; returns how many labels changed.
    std::size_t operator()(std::size_t first, std::size_t count) {
        row_codes_.start(first);
        active_.clear();
        candidates_.clear();
        unpruned_.clear();
        update_bounds(first, count);
        for (std::size_t i = 0; i < count; ++i) activate_failed(first + i, i);
        guess_labels();
        measure_own();
        queue();
        least_.assign(active_.size() * n_groups_, std::numeric_limits<float>::infinity());
        for (std::size_t q = 0; q < queues_.size(); ++q) prune(q);
        score_unpruned();
        std::size_t changed = 0;
        for (std::size_t a = 0; a < active_.size(); ++a) changed += finish_row(a);
        return changed;
    }

  private:
    static constexpr double kInfinity = std::numeric_limits<double>::infinity();
    // An upper bound whose slack is more than this share of it is measured anew before groups are pruned with
    // it.
    static constexpr float kTight = 0.06F;
    // Pruning keeps centroids that may become nearest within this many steps.
    static constexpr float kSteps = 2;

    // Fills upper_, fast_candidates_, failed_groups_ and failed_neighbours_ for the block's rows.
    void update_bounds(std::size_t first, std::size_t count) {
        upper_.resize(count);
        bounds_.update_upper(first, labels_, upper_);
        if (state_.fast_centers.any())
            prune_fast_centers(first, count);
        else
            fast_candidates_.assign(count, 0);
        failed_groups_.resize(count);
        bounds_.failed_groups(first, upper_, failed_groups_.data());
        failed_neighbours_.resize(count);
        bounds_.failed_neighbours(first, upper_, failed_neighbours_.data());
    }

    // Compares the fastest-moving centroids with every row: left in their groups they would loosen the
    // groups' bounds. Fills fast_candidates_, and lowers the groups' bounds to those of the pruned ones. Uses
    // limits_, squares_, below_ and what prune_batch uses.
    void prune_fast_centers(std::size_t first, std::size_t count) {
        const FastCenters& fast_centers = state_.fast_centers;
        limits_.resize(count);
        squares_.resize(count);
        state_.table.bounds->coarse_limits(codes_.coarse_errors(first), upper_.data(), count, limits_.data(),
                                           squares_.data());
        batch_.resize(count);
        excluded_.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t row = first + i;
            unsigned out = fast_centers.excluded | fast_centers.bit(upper_[i] < 0 ? -1 : labels_[row]);
            for (std::size_t b = 0; b < kNeighbours; ++b)
                out |= fast_centers.bit(bounds_.neighbours(row)[b].centroid);
            excluded_[i] = static_cast<std::uint16_t>(out);
            batch_[i] = {state_.pca_codes.row(row, row_codes_), state_.pca_codes.norm(row),
                         state_.pca_codes.outside_norm(row), limits_[i]};
        }
        prune_batch(codes_.panel(fast_centers), 1);
        fast_candidates_ = masks_;
        below_.resize(count);
        state_.table.bounds->below(part_least_.data(), squares_.data(), bounds_.groups(first),
                                   fast_centers.group_of_lane, count, below_.data());
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t row = first + i;
            for (unsigned lanes = below_[i]; lanes; lanes &= lanes - 1) {
                const auto lane = static_cast<std::size_t>(std::countr_zero(lanes));
                const auto score = static_cast<double>(part_least_[i * kPanelWidth + lane]);
                bounds_.lower_group(row, static_cast<std::size_t>(fast_centers.group_of_lane[lane]),
                                    bounds_.lower_of(row, score - codes_.coarse_slack(row)));
            }
        }
    }

    // Appends the row to active_ if a bound failed.
    void activate_failed(std::size_t row, std::size_t i) {
        const float upper = upper_[i];
        const std::int32_t label = labels_[row];
        if (upper < 0) {
            std::fill_n(bounds_.lower(row), n_groups_, std::uint16_t{0});
            const bool known = label >= 0 && static_cast<std::size_t>(label) < n_clusters_;
            std::fill_n(bounds_.neighbours(row), kNeighbours, Neighbour{});
            active_.emplace_back(row, known ? label : -1).groups = (1U << n_groups_) - 1;
            return;
        }
        const std::uint32_t groups = failed_groups_[i];
        const std::uint32_t failed = failed_neighbours_[i];
        const std::uint32_t fast_centers = fast_candidates_[i];
        if (!groups && !failed && !fast_centers) return;
        // With PCA codes pruning need not read the row itself: a tight upper bound is used as it is, and the
        // row is read only if a candidate is left.
        const bool tight = state_.pca_codes.projected() && state_.upper_slack[row] <= kTight * upper;
        ActiveRow& active = active_.emplace_back(row, label);
        active.groups = groups;
        active.neighbours = failed;
        active.fast_centers = fast_centers;
        if (tight) {
            active.best = bounds_.score_of(row, upper);
            active.upper = upper;
        }
    }

    // Gives rows without a label the centroid of least coarse score. Uses members_, unlabelled_ and nearest_.
    void guess_labels() {
        unlabelled_.clear();
        members_.clear();
        for (std::size_t a = 0; a < active_.size(); ++a) {
            if (active_[a].label >= 0) continue;
            members_.push_back(a);
            unlabelled_.push_back(state_.pca_codes.row(active_[a].row, row_codes_));
        }
        if (members_.empty()) return;
        nearest_.resize(members_.size());
        state_.table.bytes->guess(codes_.panel(0), center_groups_.n_panels(), unlabelled_.data(),
                                  unlabelled_.size(), nearest_.data());
        for (std::size_t m = 0; m < members_.size(); ++m)
            active_[members_[m]].label =
                std::max(center_groups_.centroid_of[static_cast<std::size_t>(nearest_[m])], 0);
    }

    void pair(const ActiveRow& active, std::int32_t centroid) {
        pairs_.push_back({row_codes_[active.row], codes_.fine_codes(static_cast<std::size_t>(centroid))});
    }

    // Fills products_ with the products of pairs_, and empties pairs_.
    void multiply_pairs() {
        products_.resize(pairs_.size());
        state_.table.bytes->dots(pairs_.data(), pairs_.size(), state_.codes.n_bytes(), products_.data());
        pairs_.clear();
    }

    // Scores the own centroid of each row whose upper bound is loose, after which fewer bounds may fail.
    // Fills own, best, upper and measured of those rows in active_.
    void measure_own() {
        for (const ActiveRow& active : active_)
            if (!(active.best < kInfinity)) pair(active, active.label);
        multiply_pairs();
        const std::int32_t* product = products_.data();
        for (ActiveRow& active : active_) {
            if (active.best < kInfinity) continue;
            take_own(active, *product++);
            active.upper = bounds_.upper_of(active.row, active.best);
            active.groups &= bounds_.failed_groups(active.row, active.upper);
            active.neighbours &= bounds_.failed_neighbours(active.row, active.upper);
        }
    }

    void take_own(ActiveRow& active, std::int32_t product) {
        active.own = codes_.score(active.row, static_cast<std::size_t>(active.label), product);
        active.measured = true;
        active.best = std::min(active.best, active.own.high);
    }

    // Scores the unpruned centroids, the neighbours whose bounds failed, and the own centroid if that is
    // still to do. Fills candidates_.
    void score_unpruned() {
        for (ActiveRow& active : active_) {
            if (active.unpruned == ActiveRow::kNone && !active.neighbours) continue;
            if (!active.measured) pair(active, active.label);
            active.first_candidate = static_cast<std::uint32_t>(candidates_.size());
            for (std::uint32_t bits = active.neighbours; bits; bits &= bits - 1)
                candidates_.push_back({bounds_.neighbours(active.row)[std::countr_zero(bits)].centroid, {}});
            for (std::uint32_t s = active.unpruned; s != ActiveRow::kNone; s = unpruned_[s].next)
                candidates_.push_back({unpruned_[s].centroid, {}});
            active.n_candidates = static_cast<std::uint32_t>(candidates_.size()) - active.first_candidate;
            for (std::size_t s = active.first_candidate; s < candidates_.size(); ++s)
                pair(active, candidates_[s].centroid);
        }
        multiply_pairs();
        const std::int32_t* product = products_.data();
        for (ActiveRow& active : active_) {
            if (active.n_candidates == 0) continue;
            if (!active.measured) take_own(active, *product++);
            for (Candidate& candidate : candidates_of(active)) {
                candidate.score =
                    codes_.score(active.row, static_cast<std::size_t>(candidate.centroid), *product++);
                active.best = std::min(active.best, candidate.score.high);
            }
        }
    }

    std::span<Candidate> candidates_of(const ActiveRow& active) {
        return {candidates_.data() + active.first_candidate, active.n_candidates};
    }

    ByteRow to_prune(std::size_t row, double best) {
        const double limit = best + codes_.coarse_slack(row);  // L12; rounded up to float32 (L2)
        return {state_.pca_codes.row(row, row_codes_), state_.pca_codes.norm(row),
                state_.pca_codes.outside_norm(row), static_cast<float>(limit + 0x1p-23 * std::fabs(limit))};
    }

    // Prunes batch_ by the panels, without excluded_: fills masks_ and part_least_.
    void prune_batch(const BytePanel& first, std::size_t n_panels) {
        masks_.resize(n_panels * batch_.size());
        part_least_.resize(batch_.size() * kPanelWidth);
        state_.table.bytes->prune(first, {batch_.data(), batch_.size(), n_panels, excluded_.data(),
                                          masks_.data(), part_least_.data()});
    }

    // Fills queues_ with the rows that are to be pruned by each group's panels (or by a panel that several
    // groups share), and unpruned_ with the rows' candidates among the fast centres.
    void queue() {
        queues_.resize(center_groups_.n_panels() / center_groups_.panels_per_group());
        for (PruningQueue& queue : queues_) queue.clear();
        for (std::size_t a = 0; a < active_.size(); ++a) {
            ActiveRow& active = active_[a];
            std::uint32_t pruned = 0;
            for (std::uint32_t remaining = active.groups; remaining; remaining &= ~pruned) {
                const auto g = static_cast<std::size_t>(std::countr_zero(remaining));
                const std::size_t panel = g * center_groups_.lanes_per_group / kPanelWidth;
                queues_[panel / center_groups_.panels_per_group()].rows.push_back(
                    static_cast<std::uint32_t>(a));
                pruned |= state_.groups_of_panel[panel];
            }
            active.groups = pruned;  // all groups that share a panel are pruned with it
            attach_fast_centers(active);
            if (!pruned) continue;
            active.to_prune = to_prune(active.row, with_margin(active));
            exclude(active, active.label);
            const Neighbour* list = bounds_.neighbours(active.row);
            for (std::size_t b = 0; b < kNeighbours && list[b].centroid >= 0; ++b)
                exclude(active, list[b].centroid);
        }
    }

    // A candidate that is scored gets a bound of its own, which lasts longer than its group's: once few
    // labels change, it pays to score centroids that will soon be near enough, too.
    double with_margin(const ActiveRow& active) const {
        if (state_.lookahead_drift == 0) return active.best;
        const float lookahead_drift =
            state_.lookahead_drift + state_.center_drift[static_cast<std::size_t>(active.label)];
        return bounds_.score_of(active.row, active.upper + kSteps * lookahead_drift);
    }

    // Excludes the centroid, if its group is pruned, for the row that was queued last.
    void exclude(const ActiveRow& active, std::int32_t centroid) {
        const auto lane =
            static_cast<std::uint32_t>(center_groups_.lane_of[static_cast<std::size_t>(centroid)]);
        if (!(active.groups >> center_groups_.group_of_lane(lane) & 1U)) return;
        PruningQueue& queue = queues_[lane / kPanelWidth / center_groups_.panels_per_group()];
        queue.excluded.push_back({static_cast<std::uint32_t>(queue.rows.size() - 1), lane});
    }

    // Fast centres whose group is pruned are found there.
    void attach_fast_centers(ActiveRow& active) {
        for (std::uint32_t bits = active.fast_centers; bits; bits &= bits - 1) {
            const auto lane = static_cast<std::size_t>(std::countr_zero(bits));
            if (!(active.groups >> state_.fast_centers.group_of_lane[lane] & 1U))
                add_unpruned(active, state_.fast_centers.centroids[lane]);
        }
    }

    void add_unpruned(ActiveRow& active, std::int32_t centroid) {
        unpruned_.push_back({centroid, active.unpruned});
        active.unpruned = static_cast<std::uint32_t>(unpruned_.size() - 1);
    }

    // Prunes the rows of a queue: fills least_ for its groups, and unpruned_.
    void prune(std::size_t q) {
        const std::vector<std::uint32_t>& members = queues_[q].rows;
        if (members.empty()) return;
        const std::size_t n = members.size();
        const std::size_t n_panels = center_groups_.panels_per_group();
        const std::size_t first_panel = q * n_panels;
        state_.n_pruned += n * n_panels;
        excluded_.resize(n_panels * n);
        for (std::size_t p = 0; p < n_panels; ++p)
            std::fill_n(excluded_.data() + p * n, n, codes_.excluded(first_panel + p));
        for (const ExcludedLane& out : queues_[q].excluded) {
            std::uint16_t& lanes = excluded_[(out.lane / kPanelWidth - first_panel) * n + out.row];
            lanes = static_cast<std::uint16_t>(lanes | 1U << out.lane % kPanelWidth);
        }
        batch_.resize(n);
        for (std::size_t m = 0; m < n; ++m) batch_[m] = active_[members[m]].to_prune;
        prune_batch(codes_.panel(first_panel), n_panels);
        keep_least(members, center_groups_.group_of_lane(first_panel * kPanelWidth), first_panel);
        for (std::size_t p = 0; p < n_panels; ++p)
            keep_unpruned(members, masks_.data() + p * n, (first_panel + p) * kPanelWidth);
    }

    // Reads four rows' masks at a time, since most are empty.
    void keep_unpruned(const std::vector<std::uint32_t>& members, const std::uint16_t* masks,
                       std::size_t first_lane) {
        const std::int32_t* centroids = center_groups_.centroid_of.data() + first_lane;
        for (std::size_t first = 0; first < members.size(); first += 4) {
            std::uint64_t lanes = 0;
            for (std::size_t m = first; m < std::min(first + 4, members.size()); ++m)
                lanes |= static_cast<std::uint64_t>(masks[m]) << 16 * (m - first);
            for (; lanes; lanes &= lanes - 1) {
                const auto lane = static_cast<std::size_t>(std::countr_zero(lanes));
                add_unpruned(active_[members[first + lane / kPanelWidth]], centroids[lane % kPanelWidth]);
            }
        }
    }

    void keep_least(const std::vector<std::uint32_t>& members, std::size_t group, std::size_t panel) {
        const std::size_t n_parts = kPanelWidth / std::min(center_groups_.lanes_per_group, kPanelWidth);
        const auto n_here = static_cast<std::size_t>(std::popcount(state_.groups_of_panel[panel]));
        for (std::size_t b = 0; b < members.size(); ++b)
            std::copy_n(part_least_.data() + b * n_parts, n_here,
                        least_.data() + members[b] * n_groups_ + group);
    }

    // Decides the row's label and stores its bounds; returns whether the label changed.
    bool finish_row(std::size_t a) {
        ActiveRow& active = active_[a];
        const std::size_t row = active.row;
        const std::int32_t label = nearest_label(active);
        if (active.n_candidates > 0) forget_candidates(active, label);
        double own = active.own.high;
        RunnerUp runners_up[kNeighbours] = {};
        for (const Candidate& candidate : candidates_of(active)) {
            if (candidate.centroid == label)
                own = candidate.score.high;
            else
                rank({candidate.centroid, candidate.score.low}, runners_up, a);
        }
        if (active.label != label) rank({active.label, active.own.low}, runners_up, a);
        store_groups(a);
        for (const RunnerUp& runner_up : runners_up)
            if (runner_up.centroid >= 0)
                bounds_.keep(row, runner_up.centroid, bounds_.lower_of(row, runner_up.score));
        if (active.measured) {
            state_.upper[row] = bounds_.upper_of(row, own);
            state_.upper_slack[row] = 0;
        }
        state_.labels[row] = label;
        return write_label_(row, label);
    }

    // Inserts into the nearest others, which are in order. The one that is left over lowers the bound of its
    // group.
    void rank(RunnerUp added, RunnerUp* runners_up, std::size_t a) {
        for (std::size_t b = 0; b < kNeighbours; ++b)
            if (runners_up[b].centroid < 0 || added.score < runners_up[b].score)
                std::swap(added, runners_up[b]);
        if (added.centroid < 0) return;
        const ActiveRow& active = active_[a];
        const std::size_t group = bounds_.group_of(added.centroid);
        if (!(active.groups >> group & 1U))
            return bounds_.lower_group(active.row, group, bounds_.lower_of(active.row, added.score));
        const double score = added.score + codes_.coarse_slack(active.row);
        float& least =
            least_[a * n_groups_ + group];  // which store_groups lowers by the slack; rounded down (L2)
        least = std::min(least, static_cast<float>(score - 0x1p-22 * std::fabs(score)));
    }

    void store_groups(std::size_t a) {
        const std::size_t row = active_[a].row;
        const double slack = codes_.coarse_slack(row);
        std::uint16_t* bounds = bounds_.lower(row);
        for (std::uint32_t bits = active_[a].groups; bits; bits &= bits - 1) {
            const auto g = static_cast<std::size_t>(std::countr_zero(bits));
            const double score = static_cast<double>(least_[a * n_groups_ + g]) - slack;
            bounds[g] = bounds_.stored(bounds_.lower_of(row, score), g);
        }
    }

    // Removes the row's label, and the neighbours that were scored anew, from its list of neighbours.
    void forget_candidates(const ActiveRow& active, std::int32_t label) {
        Neighbour* list = bounds_.neighbours(active.row);
        std::size_t kept = 0;
        for (std::size_t b = 0; b < kNeighbours && list[b].centroid >= 0; ++b)
            if (!(active.neighbours >> b & 1U) && list[b].centroid != label) list[kept++] = list[b];
        std::fill(list + kept, list + kNeighbours, Neighbour{});
    }

    // Fills finalists_ with the candidates that may be nearest by the intervals of their scores.
    void find_finalists(const ActiveRow& active) {
        finalists_.clear();
        const auto consider = [&](std::int32_t centroid, const Interval& score) {
            const auto j = static_cast<std::size_t>(centroid);
            if (!(score.low > active.best) && !codes_.is_duplicate(j)) finalists_.push_back(j);
        };
        consider(active.label, active.own);
        for (const Candidate& candidate : candidates_of(active))
            consider(candidate.centroid, candidate.score);
    }

    // Narrows the intervals of the finalists by a second product each.
    void refine_scores(ActiveRow& active) {
        for (const std::size_t j : finalists_)
            pairs_.push_back({row_codes_[active.row], codes_.residual_codes(j)});
        multiply_pairs();
        std::size_t next = 0;
        const auto take = [&](std::int32_t centroid, Interval& score) {
            const auto j = static_cast<std::size_t>(centroid);
            if (next == finalists_.size() || finalists_[next] != j) return;  // in the order of find_finalists
            score = codes_.refined_score(active.row, j, score, products_[next++]);
            active.best = std::min(active.best, score.high);
        };
        take(active.label, active.own);
        for (Candidate& candidate : candidates_of(active)) take(candidate.centroid, candidate.score);
    }

    // The nearest of the label and the candidates: by their intervals if these decide, else exactly.
    std::int32_t nearest_label(ActiveRow& active) {
        if (active.n_candidates == 0) return active.label;
        find_finalists(active);
        if (finalists_.size() > 1) {
            refine_scores(active);
            find_finalists(active);
        }
        if (finalists_.size() == 1) return static_cast<std::int32_t>(finalists_[0]);
        std::sort(finalists_.begin(), finalists_.end());
        measured_ = finalists_;
        const std::int32_t label = exact_nearest_(active.row, finalists_);
        tighten(active.row, active.label, active.own);
        for (Candidate& candidate : candidates_of(active))
            tighten(active.row, candidate.centroid, candidate.score);
        return label;
    }

    // Narrows the interval of a finalist by the squared distance that was measured for the decision (L13).
    void tighten(std::size_t row, std::int32_t centroid, Interval& score) {
        const auto j = static_cast<std::size_t>(centroid);
        const auto found = std::lower_bound(measured_.begin(), measured_.end(), j);
        if (found == measured_.end() || *found != j) return;
        const double distance =
            exact_nearest_.distances()[static_cast<std::size_t>(found - measured_.begin())];
        if (!(distance > kUnderflow)) return;
        const double square = distance / state_.codes.scale() / state_.codes.scale();
        const double most = static_cast<double>(state_.pca_codes.norm(row)) * kNormUp +
                            static_cast<double>(state_.codes.error(row));
        score.low = std::max(score.low, square * kDown64 - most * most);
        score.high = std::min(score.high, square * kUp64 - bounds_.lower_square(row));
    }

    BoundState& state_;
    const QuantizedCenters& codes_;
    const CenterGroups& center_groups_;
    std::size_t n_clusters_;
    const std::int32_t* labels_;
    LabelWriter write_label_;
    std::size_t n_groups_;
    RowCodes row_codes_;
    RowBounds bounds_;
    std::vector<ActiveRow> active_;
    std::vector<Candidate> candidates_;
    std::vector<float>
        least_;  // [active row][group]: the least coarse score of the centroids that are not scored
    std::vector<float> upper_;                      // [row of the block]
    std::vector<std::uint16_t> fast_candidates_;    // [row of the block]: bits of fast centres
    std::vector<float> limits_, squares_;           // [row of the block]: see BoundKernels::coarse_limits
    std::vector<std::uint16_t> below_;              // [row of the block]: see BoundKernels::below
    std::vector<std::uint16_t> failed_groups_;      // [row of the block]: bits of groups
    std::vector<std::uint16_t> failed_neighbours_;  // [row of the block]: bits of neighbours
    std::vector<ByteRow> batch_;
    std::vector<std::size_t> members_;
    std::vector<const std::uint8_t*> unlabelled_;
    std::vector<std::int32_t> nearest_;
    std::vector<Unpruned> unpruned_;
    std::vector<std::uint16_t> excluded_;
    std::vector<std::uint16_t> masks_;
    std::vector<float> part_least_;
    std::vector<std::size_t> finalists_;
    std::vector<std::size_t> measured_;
    std::vector<BytePair> pairs_;
    std::vector<std::int32_t> products_;
    std::vector<PruningQueue> queues_;
    ExactNearest exact_nearest_;
};

}  // namespace kmosaic
