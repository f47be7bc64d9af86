// One thread's share of a step with bounds: a block of rows at a time, from those whose bounds do not hold them back to their
// labels and new bounds. See bounded_assigner.hpp.
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
    BoundedWorker(BoundedAssigner& all, const Centers& centers, std::int32_t* labels,
                  LabelChanges::ThreadLog* log)
        : all_(all),
          codes_(all.centroids_.front()),
          center_groups_(codes_.center_groups()),
          centers_(centers),
          labels_(labels),
          log_(log),
          n_groups_(center_groups_.n_groups),
          bounds_(all),
          row_(all.rows_.n_features) {}

    std::size_t operator()(std::size_t first, std::size_t count) {
        active_.clear();
        candidates_.clear();
        unpruned_.clear();
        upper_.resize(count);
        bounds_.follow(first, labels_, upper_);
        if (all_.fast_centers_.any())
            prune_fast_centers(first, count);
        else
            fast_candidates_.assign(count, 0);
        failed_groups_.resize(count);
        bounds_.failed_groups(first, upper_, failed_groups_.data());
        failed_neighbours_.resize(count);
        bounds_.failed_neighbours(first, upper_, failed_neighbours_.data());
        for (std::size_t i = 0; i < count; ++i) check_row(first + i, i);
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
    // An upper bound looser than this share of it is measured anew before anything is sifted with it.
    static constexpr float kTight = 0.06F;
    // So many steps a sift looks ahead.
    static constexpr float kSteps = 2;

    // Centroids that moved far are not waited for in their groups, whose bounds would sink with them: every row is
    // sifted for them.
    void prune_fast_centers(std::size_t first, std::size_t count) {
        const FastCenters& fast_centers = all_.fast_centers_;
        limits_.resize(count);
        squares_.resize(count);
        all_.table_.bounds->coarse_limits(codes_.coarse_errors(first), upper_.data(), count, limits_.data(),
                                          squares_.data());
        batch_.resize(count);
        excluded_.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t row = first + i;
            unsigned out = fast_centers.excluded | fast_centers.bit(upper_[i] < 0 ? -1 : labels_[row]);
            for (std::size_t b = 0; b < kNeighbours; ++b)
                out |= fast_centers.bit(bounds_.neighbours(row)[b].centroid);
            excluded_[i] = static_cast<std::uint16_t>(out);
            batch_[i] = {all_.pca_codes_.row(row), all_.pca_codes_.norm(row),
                         all_.pca_codes_.outside_norm(row), limits_[i]};
        }
        prune_batch(codes_.panel(fast_centers), 1);
        fast_candidates_ = masks_;
        below_.resize(count);
        all_.table_.bounds->below(part_least_.data(), squares_.data(), bounds_.groups(first),
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

    void check_row(std::size_t row, std::size_t i) {
        const float upper = upper_[i];
        const std::int32_t label = labels_[row];
        if (upper < 0) {
            std::fill_n(bounds_.lower(row), n_groups_, std::uint16_t{0});
            const bool known = label >= 0 && static_cast<std::size_t>(label) < centers_.n_clusters;
            std::fill_n(bounds_.neighbours(row), kNeighbours, Neighbour{});
            activate(row, known ? label : -1).groups = (1U << n_groups_) - 1;
            return;
        }
        const std::uint32_t groups = failed_groups_[i];
        const std::uint32_t failed = failed_neighbours_[i];
        const std::uint32_t fast_centers = fast_candidates_[i];
        if (!groups && !failed && !fast_centers) return;
        // Where little is to be gained the row itself, if sifting does not read it, is left alone until a centroid asks
        // for it.
        const bool tight = all_.pca_codes_.projected() && all_.upper_slack_[row] <= kTight * upper;
        ActiveRow& active = activate(row, label);
        active.groups = groups;
        active.neighbours = failed;
        active.fast_centers = fast_centers;
        if (tight) {
            active.best = bounds_.score_of(row, upper);
            active.upper = upper;
        }
    }

    ActiveRow& activate(std::size_t row, std::int32_t label) { return active_.emplace_back(row, label); }

    // Rows without a label are measured against the centroid that seems nearest.
    void guess_labels() {
        unlabelled_.clear();
        members_.clear();
        for (std::size_t a = 0; a < active_.size(); ++a) {
            if (active_[a].label >= 0) continue;
            members_.push_back(a);
            unlabelled_.push_back(all_.pca_codes_.row(active_[a].row));
        }
        if (members_.empty()) return;
        nearest_.resize(members_.size());
        all_.table_.bytes->guess(codes_.panel(0), center_groups_.n_panels(), unlabelled_.data(),
                                 unlabelled_.size(), nearest_.data());
        for (std::size_t m = 0; m < members_.size(); ++m)
            active_[members_[m]].label =
                std::max(center_groups_.centroid_of[static_cast<std::size_t>(nearest_[m])], 0);
    }

    void pair(const ActiveRow& active, std::int32_t centroid) {
        pairs_.push_back({all_.codes_[active.row], codes_.fine_codes(static_cast<std::size_t>(centroid))});
    }

    void multiply_pairs() {
        products_.resize(pairs_.size());
        all_.table_.bytes->dots(pairs_.data(), pairs_.size(), all_.codes_.n_bytes(), products_.data());
        pairs_.clear();
    }

    // Scores the label of each row whose upper bound is loose; that may close groups again.
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

    // Scores what sifts have left, the neighbours whose bounds are open, and the label where that was not needed before.
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

    ByteRow to_prune(std::size_t row, double best) const {
        const double limit = best + codes_.coarse_slack(row);
        return {all_.pca_codes_.row(row), all_.pca_codes_.norm(row), all_.pca_codes_.outside_norm(row),
                static_cast<float>(limit + 0x1p-23 * std::fabs(limit))};
    }

    void prune_batch(const BytePanel& first, std::size_t n_panels) {
        masks_.resize(n_panels * batch_.size());
        part_least_.resize(batch_.size() * kPanelWidth);
        all_.table_.bytes->prune(first, {batch_.data(), batch_.size(), n_panels, excluded_.data(),
                                         masks_.data(), part_least_.data()});
    }

    // Lists the rows that are to be sifted by each panel of several groups, or by each group's panels.
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
                pruned |= all_.groups_of_panel_[panel];
            }
            active.groups = pruned;  // a panel of several groups is sifted for all of them
            attach_fast_centers(active);
            if (!pruned) continue;
            active.to_prune = to_prune(active.row, with_margin(active));
            exclude(active, active.label);
            const Neighbour* list = bounds_.neighbours(active.row);
            for (std::size_t b = 0; b < kNeighbours && list[b].centroid >= 0; ++b)
                exclude(active, list[b].centroid);
        }
    }

    // What is left by a sift is measured, and its bound lasts longer than its group's would: once few labels change, that pays
    // for centroids that will soon be near enough, too.
    double with_margin(const ActiveRow& active) const {
        if (all_.lookahead_drift_ == 0) return active.best;
        const float lookahead_drift =
            all_.lookahead_drift_ + all_.center_drift_[static_cast<std::size_t>(active.label)];
        return bounds_.score_of(active.row, active.upper + kSteps * lookahead_drift);
    }

    // Keeps the centroid, where its group is sifted, out of what is found for the row last queued.
    void exclude(const ActiveRow& active, std::int32_t centroid) {
        const auto lane =
            static_cast<std::uint32_t>(center_groups_.lane_of[static_cast<std::size_t>(centroid)]);
        if (!(active.groups >> center_groups_.group_of_lane(lane) & 1U)) return;
        PruningQueue& queue = queues_[lane / kPanelWidth / center_groups_.panels_per_group()];
        queue.excluded.push_back({static_cast<std::uint32_t>(queue.rows.size() - 1), lane});
    }

    // Those whose group is sifted will be found there.
    void attach_fast_centers(ActiveRow& active) {
        for (std::uint32_t bits = active.fast_centers; bits; bits &= bits - 1) {
            const auto lane = static_cast<std::size_t>(std::countr_zero(bits));
            if (!(active.groups >> all_.fast_centers_.group_of_lane[lane] & 1U))
                add_unpruned(active, all_.fast_centers_.centroids[lane]);
        }
    }

    void add_unpruned(ActiveRow& active, std::int32_t centroid) {
        unpruned_.push_back({centroid, active.unpruned});
        active.unpruned = static_cast<std::uint32_t>(unpruned_.size() - 1);
    }

    void prune(std::size_t q) {
        const std::vector<std::uint32_t>& members = queues_[q].rows;
        if (members.empty()) return;
        const std::size_t n = members.size();
        const std::size_t n_panels = center_groups_.panels_per_group();
        const std::size_t first_panel = q * n_panels;
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

    // Four rows' masks at a time, since most are empty.
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
        const auto n_here = static_cast<std::size_t>(std::popcount(all_.groups_of_panel_[panel]));
        for (std::size_t b = 0; b < members.size(); ++b)
            std::copy_n(part_least_.data() + b * n_parts, n_here,
                        least_.data() + members[b] * n_groups_ + group);
    }

    // Decides the row's label and stores its bounds; tells whether the label changed.
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
            all_.upper_[row] = bounds_.upper_of(row, own);
            all_.upper_slack_[row] = 0;
        }
        all_.labels_[row] = label;
        if (labels_[row] == label) return false;
        if (log_) log_->add(row, labels_[row], label);
        labels_[row] = label;
        return true;
    }

    // Keeps the nearest others in order; one that is not among them is left to its group.
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
        float& least = least_[a * n_groups_ + group];
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

    // Takes the row's label, and the neighbours that were scored anew, off its list.
    void forget_candidates(const ActiveRow& active, std::int32_t label) {
        Neighbour* list = bounds_.neighbours(active.row);
        std::size_t kept = 0;
        for (std::size_t b = 0; b < kNeighbours && list[b].centroid >= 0; ++b)
            if (!(active.neighbours >> b & 1U) && list[b].centroid != label) list[kept++] = list[b];
        std::fill(list + kept, list + kNeighbours, Neighbour{});
    }

    // Lists the centroids that may be nearest, by the intervals of their scores.
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

    // Narrows the intervals of the candidates by a second product each.
    void refine_scores(ActiveRow& active) {
        for (const std::size_t j : finalists_)
            pairs_.push_back({all_.codes_[active.row], codes_.residual_codes(j)});
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

    // The nearest of the label and the scored centroids, by their intervals where those tell.
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
        all_.table_.exact->widen[all_.rows_.dtype](all_.rows_.row(active.row), all_.rows_.n_features,
                                                   row_.data());
        const std::size_t label = nearest(row_.data(), centers_, finalists_, distances_);
        low_dim(active.row, active.label, active.own);
        for (Candidate& candidate : candidates_of(active))
            low_dim(active.row, candidate.centroid, candidate.score);
        return static_cast<std::int32_t>(label);
    }

    // Uses the squared distance that was measured for the decision.
    void low_dim(std::size_t row, std::int32_t centroid, Interval& score) {
        const auto j = static_cast<std::size_t>(centroid);
        const auto found = std::lower_bound(measured_.begin(), measured_.end(), j);
        if (found == measured_.end() || *found != j) return;
        const double distance = distances_[static_cast<std::size_t>(found - measured_.begin())];
        if (!(distance > kUnderflow)) return;
        const double square = distance / all_.codes_.scale() / all_.codes_.scale();
        const double most = static_cast<double>(all_.pca_codes_.norm(row)) * (1 + 0x1p-22) +
                            static_cast<double>(all_.codes_.error(row));
        score.low = std::max(score.low, square * (1 - 1e-9) - most * most);
        score.high = std::min(score.high, square * (1 + 1e-9) - bounds_.lower_square(row));
    }

    BoundedAssigner& all_;
    const QuantizedCenters& codes_;
    const CenterGroups& center_groups_;
    const Centers& centers_;
    std::int32_t* labels_;
    LabelChanges::ThreadLog* log_;
    std::size_t n_groups_;
    RowBounds bounds_;
    std::vector<ActiveRow> active_;
    std::vector<Candidate> candidates_;
    std::vector<float> least_;  // [active row][group]: the least coarse score of those not scored
    std::vector<float> upper_;  // of the block's rows
    std::vector<std::uint16_t> fast_candidates_;    // likewise
    std::vector<float> limits_, squares_;           // likewise: see coarse_limits
    std::vector<std::uint16_t> below_;              // likewise
    std::vector<std::uint16_t> failed_groups_;      // likewise
    std::vector<std::uint16_t> failed_neighbours_;  // likewise
    std::vector<ByteRow> batch_;
    std::vector<std::size_t> members_;
    std::vector<const std::uint8_t*> unlabelled_;
    std::vector<std::int32_t> nearest_;
    std::vector<Unpruned> unpruned_;
    std::vector<std::uint16_t> excluded_;
    std::vector<std::uint16_t> masks_;
    std::vector<float> part_least_;
    std::vector<double> row_;
    std::vector<std::size_t> finalists_;
    std::vector<std::size_t> measured_;
    std::vector<BytePair> pairs_;
    std::vector<std::int32_t> products_;
    std::vector<PruningQueue> queues_;
    std::vector<double> distances_;
};

}  // namespace kmosaic
