// One thread's share of a step with bounds: a block of rows at a time, from those whose bounds do not hold them back to their
// labels and new bounds. See bounded_assigner.hpp.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "kmeans/active_row.hpp"
#include "kmeans/decide.hpp"
#include "kmeans/row_bounds.hpp"

namespace kmosaic {

class BoundedWorker {
  public:
    BoundedWorker(BoundedAssigner& all, const Centers& centers, std::int32_t* labels, Moves::Ledger* ledger)
        : all_(all),
          codes_(all.centroids_.front()),
          arrangement_(codes_.arrangement()),
          centers_(centers),
          labels_(labels),
          ledger_(ledger),
          n_groups_(arrangement_.n_groups),
          bounds_(all),
          row_(all.rows_.n_features) {}

    std::size_t operator()(std::size_t first, std::size_t count) {
        active_.clear();
        scored_.clear();
        survivors_.clear();
        upper_.resize(count);
        bounds_.follow(first, labels_, upper_);
        if (all_.movers_.any())
            sift_movers(first, count);
        else
            survivors_of_movers_.assign(count, 0);
        open_groups_.resize(count);
        bounds_.open_groups(first, upper_, open_groups_.data());
        open_neighbours_.resize(count);
        bounds_.open_neighbours(first, upper_, open_neighbours_.data());
        for (std::size_t i = 0; i < count; ++i) look_at(first + i, i);
        guess_labels();
        measure_own();
        queue();
        least_.assign(active_.size() * n_groups_, std::numeric_limits<float>::infinity());
        for (std::size_t q = 0; q < queues_.size(); ++q) sift(q);
        score_survivors();
        std::size_t changed = 0;
        for (std::size_t a = 0; a < active_.size(); ++a) changed += settle(a);
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
    void sift_movers(std::size_t first, std::size_t count) {
        const Movers& movers = all_.movers_;
        limits_.resize(count);
        squares_.resize(count);
        all_.table_.bounds->coarse_limits(codes_.coarse_errors(first), upper_.data(), count, limits_.data(),
                                          squares_.data());
        batch_.resize(count);
        left_out_.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t row = first + i;
            unsigned out = movers.left_out | movers.bit(upper_[i] < 0 ? -1 : labels_[row]);
            for (std::size_t b = 0; b < kNeighbours; ++b)
                out |= movers.bit(bounds_.neighbours(row)[b].centroid);
            left_out_[i] = static_cast<std::uint16_t>(out);
            batch_[i] = {all_.sketches_.row(row), all_.sketches_.norm(row), all_.sketches_.rest(row),
                         limits_[i]};
        }
        sift_batch(codes_.panel(movers), 1);
        survivors_of_movers_ = masks_;
        below_.resize(count);
        all_.table_.bounds->below(part_least_.data(), squares_.data(), bounds_.groups(first),
                                  movers.group_of_lane, count, below_.data());
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t row = first + i;
            for (unsigned lanes = below_[i]; lanes; lanes &= lanes - 1) {
                const auto lane = static_cast<std::size_t>(std::countr_zero(lanes));
                const auto score = static_cast<double>(part_least_[i * kPanelWidth + lane]);
                bounds_.lower_group(row, static_cast<std::size_t>(movers.group_of_lane[lane]),
                                    bounds_.lower_of(row, score - codes_.coarse_slack(row)));
            }
        }
    }

    void look_at(std::size_t row, std::size_t i) {
        const float upper = upper_[i];
        const std::int32_t label = labels_[row];
        if (upper < 0) {
            std::fill_n(bounds_.lower(row), n_groups_, std::uint16_t{0});
            const bool known = label >= 0 && static_cast<std::size_t>(label) < centers_.n_clusters;
            std::fill_n(bounds_.neighbours(row), kNeighbours, Neighbour{});
            activate(row, known ? label : -1).groups = (1U << n_groups_) - 1;
            return;
        }
        const std::uint32_t groups = open_groups_[i];
        const std::uint32_t open = open_neighbours_[i];
        const std::uint32_t movers = survivors_of_movers_[i];
        if (!groups && !open && !movers) return;
        // Where little is to be gained the row itself, if sifting does not read it, is left alone until a centroid asks
        // for it.
        const bool tight = all_.sketches_.projected() && all_.drifted_[row] <= kTight * upper;
        ActiveRow& active = activate(row, label);
        active.groups = groups;
        active.neighbours = open;
        active.movers = movers;
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
            unlabelled_.push_back(all_.sketches_.row(active_[a].row));
        }
        if (members_.empty()) return;
        nearest_.resize(members_.size());
        all_.table_.bytes->guess(codes_.panel(0), arrangement_.n_panels(), unlabelled_.data(),
                                 unlabelled_.size(), nearest_.data());
        for (std::size_t m = 0; m < members_.size(); ++m)
            active_[members_[m]].label =
                std::max(arrangement_.centroid_of[static_cast<std::size_t>(nearest_[m])], 0);
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
            active.groups &= bounds_.open_groups(active.row, active.upper);
            active.neighbours &= bounds_.open_neighbours(active.row, active.upper);
        }
    }

    void take_own(ActiveRow& active, std::int32_t product) {
        active.own = codes_.score(active.row, static_cast<std::size_t>(active.label), product);
        active.measured = true;
        active.best = std::min(active.best, active.own.high);
    }

    // Scores what sifts have left, the neighbours whose bounds are open, and the label where that was not needed before.
    void score_survivors() {
        for (ActiveRow& active : active_) {
            if (active.survivor == ActiveRow::kNone && !active.neighbours) continue;
            if (!active.measured) pair(active, active.label);
            active.scored = static_cast<std::uint32_t>(scored_.size());
            for (std::uint32_t bits = active.neighbours; bits; bits &= bits - 1)
                scored_.push_back({bounds_.neighbours(active.row)[std::countr_zero(bits)].centroid, {}});
            for (std::uint32_t s = active.survivor; s != ActiveRow::kNone; s = survivors_[s].next)
                scored_.push_back({survivors_[s].centroid, {}});
            active.n_scored = static_cast<std::uint32_t>(scored_.size()) - active.scored;
            for (std::size_t s = active.scored; s < scored_.size(); ++s) pair(active, scored_[s].centroid);
        }
        multiply_pairs();
        const std::int32_t* product = products_.data();
        for (ActiveRow& active : active_) {
            if (active.n_scored == 0) continue;
            if (!active.measured) take_own(active, *product++);
            for (Scored& scored : scored_of(active)) {
                scored.score =
                    codes_.score(active.row, static_cast<std::size_t>(scored.centroid), *product++);
                active.best = std::min(active.best, scored.score.high);
            }
        }
    }

    std::span<Scored> scored_of(const ActiveRow& active) {
        return {scored_.data() + active.scored, active.n_scored};
    }

    ByteRow to_sift(std::size_t row, double best) const {
        const double limit = best + codes_.coarse_slack(row);
        return {all_.sketches_.row(row), all_.sketches_.norm(row), all_.sketches_.rest(row),
                static_cast<float>(limit + 0x1p-23 * std::fabs(limit))};
    }

    void sift_batch(const BytePanel& first, std::size_t n_panels) {
        masks_.resize(n_panels * batch_.size());
        part_least_.resize(batch_.size() * kPanelWidth);
        all_.table_.bytes->sift(first, {batch_.data(), batch_.size(), n_panels, left_out_.data(),
                                        masks_.data(), part_least_.data()});
    }

    // Lists the rows that are to be sifted by each panel of several groups, or by each group's panels.
    void queue() {
        queues_.resize(arrangement_.n_panels() / arrangement_.panels_a_group());
        for (SiftQueue& queue : queues_) queue.clear();
        for (std::size_t a = 0; a < active_.size(); ++a) {
            ActiveRow& active = active_[a];
            std::uint32_t sifted = 0;
            for (std::uint32_t left = active.groups; left; left &= ~sifted) {
                const auto g = static_cast<std::size_t>(std::countr_zero(left));
                const std::size_t panel = g * arrangement_.lanes_a_group / kPanelWidth;
                queues_[panel / arrangement_.panels_a_group()].rows.push_back(static_cast<std::uint32_t>(a));
                sifted |= all_.groups_of_panel_[panel];
            }
            active.groups = sifted;  // a panel of several groups is sifted for all of them
            attach_movers(active);
            if (!sifted) continue;
            active.to_sift = to_sift(active.row, with_margin(active));
            leave_out(active, active.label);
            const Neighbour* list = bounds_.neighbours(active.row);
            for (std::size_t b = 0; b < kNeighbours && list[b].centroid >= 0; ++b)
                leave_out(active, list[b].centroid);
        }
    }

    // What is left by a sift is measured, and its bound lasts longer than its group's would: once few labels change, that pays
    // for centroids that will soon be near enough, too.
    double with_margin(const ActiveRow& active) const {
        if (all_.closing_ == 0) return active.best;
        const float closing = all_.closing_ + all_.drift_[static_cast<std::size_t>(active.label)];
        return bounds_.score_of(active.row, active.upper + kSteps * closing);
    }

    // Keeps the centroid, where its group is sifted, out of what is found for the row last queued.
    void leave_out(const ActiveRow& active, std::int32_t centroid) {
        const auto lane =
            static_cast<std::uint32_t>(arrangement_.lane_of[static_cast<std::size_t>(centroid)]);
        if (!(active.groups >> arrangement_.group_of_lane(lane) & 1U)) return;
        SiftQueue& queue = queues_[lane / kPanelWidth / arrangement_.panels_a_group()];
        queue.left_out.push_back({static_cast<std::uint32_t>(queue.rows.size() - 1), lane});
    }

    // Those whose group is sifted will be found there.
    void attach_movers(ActiveRow& active) {
        for (std::uint32_t bits = active.movers; bits; bits &= bits - 1) {
            const auto lane = static_cast<std::size_t>(std::countr_zero(bits));
            if (!(active.groups >> all_.movers_.group_of_lane[lane] & 1U))
                add_survivor(active, all_.movers_.centroids[lane]);
        }
    }

    void add_survivor(ActiveRow& active, std::int32_t centroid) {
        survivors_.push_back({centroid, active.survivor});
        active.survivor = static_cast<std::uint32_t>(survivors_.size() - 1);
    }

    void sift(std::size_t q) {
        const std::vector<std::uint32_t>& members = queues_[q].rows;
        if (members.empty()) return;
        const std::size_t n = members.size();
        const std::size_t n_panels = arrangement_.panels_a_group();
        const std::size_t first_panel = q * n_panels;
        left_out_.resize(n_panels * n);
        for (std::size_t p = 0; p < n_panels; ++p)
            std::fill_n(left_out_.data() + p * n, n, codes_.left_out(first_panel + p));
        for (const LeftOut& out : queues_[q].left_out) {
            std::uint16_t& lanes = left_out_[(out.lane / kPanelWidth - first_panel) * n + out.row];
            lanes = static_cast<std::uint16_t>(lanes | 1U << out.lane % kPanelWidth);
        }
        batch_.resize(n);
        for (std::size_t m = 0; m < n; ++m) batch_[m] = active_[members[m]].to_sift;
        sift_batch(codes_.panel(first_panel), n_panels);
        keep_least(members, arrangement_.group_of_lane(first_panel * kPanelWidth), first_panel);
        for (std::size_t p = 0; p < n_panels; ++p)
            keep_survivors(members, masks_.data() + p * n, (first_panel + p) * kPanelWidth);
    }

    // Four rows' masks at a time, since most are empty.
    void keep_survivors(const std::vector<std::uint32_t>& members, const std::uint16_t* masks,
                        std::size_t first_lane) {
        const std::int32_t* centroids = arrangement_.centroid_of.data() + first_lane;
        for (std::size_t first = 0; first < members.size(); first += 4) {
            std::uint64_t lanes = 0;
            for (std::size_t m = first; m < std::min(first + 4, members.size()); ++m)
                lanes |= static_cast<std::uint64_t>(masks[m]) << 16 * (m - first);
            for (; lanes; lanes &= lanes - 1) {
                const auto lane = static_cast<std::size_t>(std::countr_zero(lanes));
                add_survivor(active_[members[first + lane / kPanelWidth]], centroids[lane % kPanelWidth]);
            }
        }
    }

    void keep_least(const std::vector<std::uint32_t>& members, std::size_t group, std::size_t panel) {
        const std::size_t n_parts = kPanelWidth / std::min(arrangement_.lanes_a_group, kPanelWidth);
        const auto n_here = static_cast<std::size_t>(std::popcount(all_.groups_of_panel_[panel]));
        for (std::size_t b = 0; b < members.size(); ++b)
            std::copy_n(part_least_.data() + b * n_parts, n_here,
                        least_.data() + members[b] * n_groups_ + group);
    }

    // Decides the row's label and stores its bounds; tells whether the label changed.
    bool settle(std::size_t a) {
        ActiveRow& active = active_[a];
        const std::size_t row = active.row;
        const std::int32_t label = decide(active);
        if (active.n_scored > 0) forget_scored(active, label);
        double own = active.own.high;
        Runner runners[kNeighbours] = {};
        for (const Scored& scored : scored_of(active)) {
            if (scored.centroid == label)
                own = scored.score.high;
            else
                rank({scored.centroid, scored.score.low}, runners, a);
        }
        if (active.label != label) rank({active.label, active.own.low}, runners, a);
        store_groups(a);
        for (const Runner& runner : runners)
            if (runner.centroid >= 0) bounds_.keep(row, runner.centroid, bounds_.lower_of(row, runner.score));
        if (active.measured) {
            all_.upper_[row] = bounds_.upper_of(row, own);
            all_.drifted_[row] = 0;
        }
        all_.labels_[row] = label;
        if (labels_[row] == label) return false;
        if (ledger_) ledger_->add(row, labels_[row], label);
        labels_[row] = label;
        return true;
    }

    // Keeps the nearest others in order; one that is not among them is left to its group.
    void rank(Runner added, Runner* runners, std::size_t a) {
        for (std::size_t b = 0; b < kNeighbours; ++b)
            if (runners[b].centroid < 0 || added.score < runners[b].score) std::swap(added, runners[b]);
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
    void forget_scored(const ActiveRow& active, std::int32_t label) {
        Neighbour* list = bounds_.neighbours(active.row);
        std::size_t kept = 0;
        for (std::size_t b = 0; b < kNeighbours && list[b].centroid >= 0; ++b)
            if (!(active.neighbours >> b & 1U) && list[b].centroid != label) list[kept++] = list[b];
        std::fill(list + kept, list + kNeighbours, Neighbour{});
    }

    // Lists the centroids that may be nearest, by the intervals of their scores.
    void find_candidates(const ActiveRow& active) {
        candidates_.clear();
        const auto consider = [&](std::int32_t centroid, const Interval& score) {
            const auto j = static_cast<std::size_t>(centroid);
            if (!(score.low > active.best) && !codes_.is_copy(j)) candidates_.push_back(j);
        };
        consider(active.label, active.own);
        for (const Scored& scored : scored_of(active)) consider(scored.centroid, scored.score);
    }

    // Narrows the intervals of the candidates by a second product each.
    void look_closer(ActiveRow& active) {
        for (const std::size_t j : candidates_)
            pairs_.push_back({all_.codes_[active.row], codes_.rest_codes(j)});
        multiply_pairs();
        std::size_t next = 0;
        const auto take = [&](std::int32_t centroid, Interval& score) {
            const auto j = static_cast<std::size_t>(centroid);
            if (next == candidates_.size() || candidates_[next] != j)
                return;  // in the order of find_candidates
            score = codes_.finer_score(active.row, j, score, products_[next++]);
            active.best = std::min(active.best, score.high);
        };
        take(active.label, active.own);
        for (Scored& scored : scored_of(active)) take(scored.centroid, scored.score);
    }

    // The nearest of the label and the scored centroids, by their intervals where those tell.
    std::int32_t decide(ActiveRow& active) {
        if (active.n_scored == 0) return active.label;
        find_candidates(active);
        if (candidates_.size() > 1) {
            look_closer(active);
            find_candidates(active);
        }
        if (candidates_.size() == 1) return static_cast<std::int32_t>(candidates_[0]);
        std::sort(candidates_.begin(), candidates_.end());
        measured_ = candidates_;
        all_.table_.exact->widen[all_.rows_.dtype](all_.rows_.row(active.row), all_.rows_.n_features,
                                                   row_.data());
        const std::size_t label = nearest(row_.data(), centers_, candidates_, distances_);
        narrow(active.row, active.label, active.own);
        for (Scored& scored : scored_of(active)) narrow(active.row, scored.centroid, scored.score);
        return static_cast<std::int32_t>(label);
    }

    // Uses the squared distance that was measured for the decision.
    void narrow(std::size_t row, std::int32_t centroid, Interval& score) {
        const auto j = static_cast<std::size_t>(centroid);
        const auto found = std::lower_bound(measured_.begin(), measured_.end(), j);
        if (found == measured_.end() || *found != j) return;
        const double distance = distances_[static_cast<std::size_t>(found - measured_.begin())];
        if (!(distance > kUnderflow)) return;
        const double square = distance / all_.codes_.scale() / all_.codes_.scale();
        const double most = static_cast<double>(all_.sketches_.norm(row)) * (1 + 0x1p-22) +
                            static_cast<double>(all_.codes_.error(row));
        score.low = std::max(score.low, square * (1 - 1e-9) - most * most);
        score.high = std::min(score.high, square * (1 + 1e-9) - bounds_.lower_square(row));
    }

    BoundedAssigner& all_;
    const CentroidCodes& codes_;
    const Arrangement& arrangement_;
    const Centers& centers_;
    std::int32_t* labels_;
    Moves::Ledger* ledger_;
    std::size_t n_groups_;
    RowBounds bounds_;
    std::vector<ActiveRow> active_;
    std::vector<Scored> scored_;
    std::vector<float> least_;  // [active row][group]: the least coarse score of those not scored
    std::vector<float> upper_;  // of the block's rows
    std::vector<std::uint16_t> survivors_of_movers_;  // likewise
    std::vector<float> limits_, squares_;             // likewise: see coarse_limits
    std::vector<std::uint16_t> below_;                // likewise
    std::vector<std::uint16_t> open_groups_;          // likewise
    std::vector<std::uint16_t> open_neighbours_;      // likewise
    std::vector<ByteRow> batch_;
    std::vector<std::size_t> members_;
    std::vector<const std::uint8_t*> unlabelled_;
    std::vector<std::int32_t> nearest_;
    std::vector<Survivor> survivors_;
    std::vector<std::uint16_t> left_out_;
    std::vector<std::uint16_t> masks_;
    std::vector<float> part_least_;
    std::vector<double> row_;
    std::vector<std::size_t> candidates_;
    std::vector<std::size_t> measured_;
    std::vector<BytePair> pairs_;
    std::vector<std::int32_t> products_;
    std::vector<SiftQueue> queues_;
    std::vector<double> distances_;
};

}  // namespace kmosaic
