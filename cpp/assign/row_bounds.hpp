// One thread's access to the rows' bounds, in distances. Every conversion rounds such that an upper bound
// never falls and a lower bound never rises: L13 (scores and distances) and L14 (carried bounds) in
// docs/developer/proof.md.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "assign/bounded_state.hpp"
#include "core/numerics.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

// A bit for each group fits a mask of 16 bits, and a bound of each a register.
constexpr std::size_t kMaxGroups = 16;

class RowBounds {
  public:
    explicit RowBounds(BoundState& state)
        : state_(state),
          center_groups_(state.centers.front().center_groups()),
          n_groups_(center_groups_.n_groups),
          units_(kDown32 / static_cast<double>(state.unit)),
          group_drift_(kMaxGroups, 0.0F) {
        for (std::size_t g = 0; g < n_groups_; ++g)
            group_drift_[g] = static_cast<float>(state.group_drift[g] * kUp32);
        for (const double drift : state.center_drift_totals)
            center_drift_totals_.push_back(static_cast<float>(drift * kUp32));
    }

    [[nodiscard]] std::uint16_t* lower(std::size_t row) { return state_.lower.data() + row * n_groups_; }
    [[nodiscard]] GroupBounds groups(std::size_t row) {
        return {lower(row), group_drift_.data(), state_.unit, n_groups_};
    }

    // For each of the rows from `first` on, a bit for each group whose lower bound is not above the row's
    // upper bound.
    void failed_groups(std::size_t first, std::span<const float> uppers, std::uint16_t* failed) {
        state_.table.bounds->failed_groups(groups(first), uppers.data(), uppers.size(), failed);
    }
    std::uint32_t failed_groups(std::size_t row, float upper) {
        std::uint16_t failed = 0;
        failed_groups(row, {&upper, 1}, &failed);
        return failed;
    }

    Neighbour* neighbours(std::size_t row) { return state_.neighbours.data() + row * kNeighbours; }

    float bound_of(const Neighbour& neighbour) const {
        return neighbour.bound - center_drift_totals_[static_cast<std::size_t>(neighbour.centroid)];
    }

    // For each of the rows from `first` on, a bit for each neighbour whose bound is not above the row's upper
    // bound.
    void failed_neighbours(std::size_t first, std::span<const float> uppers, std::uint16_t* failed) {
        state_.table.bounds->failed_neighbours(neighbours(first), center_drift_totals_.data(), uppers.data(),
                                               uppers.size(), failed);
    }
    std::uint32_t failed_neighbours(std::size_t row, float upper) {
        std::uint16_t failed = 0;
        failed_neighbours(row, {&upper, 1}, &failed);
        return failed;
    }

    // Adds the drift of each row's centroid to upper_slack; writes the upper bounds, -1 for a row without
    // bounds.
    void update_upper(std::size_t first, const std::int32_t* labels, std::span<float> uppers) {
        state_.table.bounds->follow({labels + first, state_.labels.data() + first,
                                     state_.upper.data() + first, state_.upper_slack.data() + first},
                                    state_.center_drift.data(), static_cast<float>(kUp32), uppers.size(),
                                    uppers.data());
    }

    // |X - m|^2, from below.
    double lower_square(std::size_t row) const {
        const double norm = std::max(static_cast<double>(state_.pca_codes.norm(row)) * kNormDown -
                                         static_cast<double>(state_.codes.error(row)),
                                     0.0);
        return norm * norm;
    }

    // The score of a centroid at this distance, from above.
    double score_of(std::size_t row, float distance) const {
        return static_cast<double>(distance) * static_cast<double>(distance) - lower_square(row);
    }

    // The distance of a centroid of this score, from above.
    float upper_of(std::size_t row, double score) const {
        const double norm =
            (static_cast<double>(state_.pca_codes.norm(row)) + static_cast<double>(state_.codes.error(row))) *
            kUp32;
        return static_cast<float>(std::sqrt(std::max(norm * norm + score, 0.0)) * kUp32);
    }
    // The same from below.
    double lower_of(std::size_t row, double score) const {
        const double square = lower_square(row) + score;
        return square > 0 ? std::sqrt(square) : 0.0;
    }

    // Keeps a centroid that is at least `distance` away on the row's list of neighbours, where it replaces a
    // farther one. The one that is left over lowers the bound of its group.
    void keep(std::size_t row, std::int32_t centroid, double distance) {
        Neighbour* list = neighbours(row);
        Neighbour added{
            centroid,
            static_cast<float>((distance + state_.center_drift_totals[static_cast<std::size_t>(centroid)]) *
                               kDown32)};
        for (std::size_t b = 0; b < kNeighbours; ++b) {
            if (list[b].centroid < 0) {
                list[b] = added;
                return;
            }
            if (bound_of(added) < bound_of(list[b])) std::swap(added, list[b]);
        }
        lower_group(row, group_of(added.centroid), static_cast<double>(bound_of(added)));
    }

    void lower_group(std::size_t row, std::size_t group, double distance) {
        std::uint16_t& least = lower(row)[group];
        least = std::min(least, stored(distance, group));
    }

    std::size_t group_of(std::int32_t centroid) const {
        return center_groups_.group_of_lane(
            static_cast<std::size_t>(center_groups_.lane_of[static_cast<std::size_t>(centroid)]));
    }

    // A group's lower bound as it is stored: in whole units, rounded down, and at most kMaxUnits. NaN is
    // stored as 0.
    [[nodiscard]] std::uint16_t stored(double distance, std::size_t group) const {
        const double units = (distance + state_.group_drift[group]) * units_;
        return units > 0 ? static_cast<std::uint16_t>(std::min<double>(units, kMaxUnits)) : 0;
    }

  private:
    BoundState& state_;
    const CenterGroups& center_groups_;
    std::size_t n_groups_;
    double units_;  // units per distance of 1, from below
    std::vector<float> group_drift_;
    std::vector<float> center_drift_totals_;
};

}  // namespace kmosaic
