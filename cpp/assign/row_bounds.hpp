// One thread's view of what a step with bounds knows of its rows, in distances: how to read it, and how to store what is found.
// See bounded_assigner.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "assign/bounded_assigner.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

// So many groups' bits fit a mask, and so many bounds a register.
constexpr std::size_t kMaxGroups = 16;
// Cover float32's rounding where bounds are stored, moved and compared.
constexpr double kMore = 1 + 0x1p-20;
constexpr double kLess = 1 - 0x1p-20;

class RowBounds {
  public:
    explicit RowBounds(BoundedAssigner& all)
        : all_(all),
          center_groups_(all.centroids_.front().center_groups()),
          n_groups_(center_groups_.n_groups),
          units_(kLess / static_cast<double>(all.unit_)),
          group_drift_(kMaxGroups, 0.0F) {
        for (std::size_t g = 0; g < n_groups_; ++g)
            group_drift_[g] = static_cast<float>(all.group_drift_[g] * kMore);
        for (const double way : all.center_drift_totals_)
            center_drift_totals_.push_back(static_cast<float>(way * kMore));
    }

    [[nodiscard]] std::uint16_t* lower(std::size_t row) { return all_.lower_.data() + row * n_groups_; }
    [[nodiscard]] GroupBounds groups(std::size_t row) {
        return {lower(row), group_drift_.data(), all_.unit_, n_groups_};
    }

    // For each of the rows from `first` on, the groups whose lower bound is not above its upper bound.
    void failed_groups(std::size_t first, std::span<const float> uppers, std::uint16_t* failed) {
        all_.table_.bounds->failed_groups(groups(first), uppers.data(), uppers.size(), failed);
    }
    std::uint32_t failed_groups(std::size_t row, float upper) {
        std::uint16_t failed = 0;
        failed_groups(row, {&upper, 1}, &failed);
        return failed;
    }

    Neighbour* neighbours(std::size_t row) { return all_.neighbours_.data() + row * kNeighbours; }

    float bound_of(const Neighbour& neighbour) const {
        return neighbour.bound - center_drift_totals_[static_cast<std::size_t>(neighbour.centroid)];
    }

    // The same for neighbours.
    void failed_neighbours(std::size_t first, std::span<const float> uppers, std::uint16_t* failed) {
        all_.table_.bounds->failed_neighbours(neighbours(first), center_drift_totals_.data(), uppers.data(),
                                              uppers.size(), failed);
    }
    std::uint32_t failed_neighbours(std::size_t row, float upper) {
        std::uint16_t failed = 0;
        failed_neighbours(row, {&upper, 1}, &failed);
        return failed;
    }

    // Each row's upper bound now, -1 where it has none of its label.
    void follow(std::size_t first, const std::int32_t* labels, std::span<float> uppers) {
        all_.table_.bounds->follow({labels + first, all_.labels_.data() + first, all_.upper_.data() + first,
                                    all_.upper_slack_.data() + first},
                                   all_.center_drift_.data(), static_cast<float>(kMore), uppers.size(),
                                   uppers.data());
    }

    // |X - m|^2, from below.
    double lower_square(std::size_t row) const {
        const double norm = std::max(static_cast<double>(all_.pca_codes_.norm(row)) * (1 - 0x1p-22) -
                                         static_cast<double>(all_.codes_.error(row)),
                                     0.0);
        return norm * norm;
    }

    // The score of a centroid at this distance, from above.
    double score_of(std::size_t row, float distance) const {
        return static_cast<double>(distance) * static_cast<double>(distance) - lower_square(row);
    }

    // A distance from above, and from below, given a score.
    float upper_of(std::size_t row, double score) const {
        const double norm =
            (static_cast<double>(all_.pca_codes_.norm(row)) + static_cast<double>(all_.codes_.error(row))) *
            kMore;
        return static_cast<float>(std::sqrt(std::max(norm * norm + score, 0.0)) * kMore);
    }
    double lower_of(std::size_t row, double score) const {
        const double square = lower_square(row) + score;
        return square > 0 ? std::sqrt(square) : 0.0;
    }

    // Keeps a centroid that is no less than `distance` away on the row's list, or, where others are nearer, with its
    // group.
    void keep(std::size_t row, std::int32_t centroid, double distance) {
        Neighbour* list = neighbours(row);
        Neighbour added{
            centroid,
            static_cast<float>((distance + all_.center_drift_totals_[static_cast<std::size_t>(centroid)]) *
                               kLess)};
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

    // A group's lower bound as it is kept: in whole units, and never more than fit; what is not a number bounds nothing.
    [[nodiscard]] std::uint16_t stored(double distance, std::size_t group) const {
        const double units = (distance + all_.group_drift_[group]) * units_;
        return units > 0 ? static_cast<std::uint16_t>(std::min<double>(units, kMaxUnits)) : 0;
    }

  private:
    BoundedAssigner& all_;
    const CenterGroups& center_groups_;
    std::size_t n_groups_;
    double units_;  // in a distance of 1, from below
    std::vector<float> group_drift_;
    std::vector<float> center_drift_totals_;
};

}  // namespace kmosaic
