#include "assign/check_bounds.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <sstream>

#include "core/numerics.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kSampledRows = 64;

// The distances, in code units, of a row to all centroids.
std::vector<double> distances_of(const BoundState& state, const Centers& centers, std::size_t row) {
    std::vector<double> wide(centers.n_features);
    std::vector<double> distances(centers.n_clusters);
    state.table.exact->widen[state.rows.dtype](state.rows.row(row), wide.size(), wide.data());
    for (std::size_t j = 0; j < distances.size(); ++j)
        distances[j] = state.codes.drift(wide.data(), centers.row(j), *state.table.exact) * kDown64;
    return distances;
}

std::string message(std::size_t row, const char* what, std::size_t which, double bound, double distance) {
    std::ostringstream text;
    text.precision(17);
    text << "row " << row << ": " << what << " " << which << " is " << bound << ", the distance " << distance;
    return text.str();
}

// Whether a lower bound holds: a float64 distance may be too small by a few roundings (L2).
bool holds(double bound, double distance) {
    return !(bound > distance * kUp64 + 1e-12);
}

class RowCheck {
  public:
    RowCheck(const BoundState& state, const Centers& centers, std::size_t row)
        : state_(state),
          groups_(state.centers.front().center_groups()),
          row_(row),
          distances_(distances_of(state, centers, row)) {}

    std::string operator()() const {
        const std::int32_t label = state_.labels[row_];
        if (label < 0) return "";
        const double own = distances_[static_cast<std::size_t>(label)];
        if (!std::isfinite(own)) return "";  // float64 cannot say; rows of the library are never so large
        const double upper =
            (static_cast<double>(state_.upper[row_]) + static_cast<double>(state_.upper_slack[row_])) * kUp32;
        if (!holds(own, upper))
            return message(row_, "the upper bound of centroid", static_cast<std::size_t>(label), upper, own);
        const std::string violation = neighbours();
        return violation.empty() ? groups(label) : violation;
    }

  private:
    [[nodiscard]] const Neighbour* list() const { return state_.neighbours.data() + row_ * kNeighbours; }

    [[nodiscard]] bool is_neighbour(std::int32_t centroid) const {
        return std::any_of(list(), list() + kNeighbours,
                           [&](const Neighbour& n) { return n.centroid == centroid; });
    }

    // As BoundKernels::failed_neighbours computes them.
    [[nodiscard]] std::string neighbours() const {
        for (std::size_t b = 0; b < kNeighbours && list()[b].centroid >= 0; ++b) {
            const auto j = static_cast<std::size_t>(list()[b].centroid);
            const float drift = static_cast<float>(state_.center_drift_totals[j] * kUp32);
            const auto bound = static_cast<double>(list()[b].bound - drift);
            if (!holds(bound, distances_[j]))
                return message(row_, "the lower bound of neighbour", j, bound, distances_[j]);
        }
        return "";
    }

    // As BoundKernels::failed_groups computes them.
    [[nodiscard]] std::string groups(std::int32_t label) const {
        std::vector<double> least(groups_.n_groups, std::numeric_limits<double>::infinity());
        for (std::size_t j = 0; j < distances_.size(); ++j) {
            const auto centroid = static_cast<std::int32_t>(j);
            if (centroid == label || is_neighbour(centroid)) continue;
            double& group = least[groups_.group_of_lane(static_cast<std::size_t>(groups_.lane_of[j]))];
            group = std::min(group, distances_[j]);
        }
        for (std::size_t g = 0; g < least.size(); ++g) {
            const float units = state_.lower[row_ * least.size() + g];
            const auto bound =
                static_cast<double>(units * state_.unit - static_cast<float>(state_.group_drift[g] * kUp32));
            if (!holds(bound, least[g])) return message(row_, "the lower bound of group", g, bound, least[g]);
        }
        return "";
    }

    const BoundState& state_;
    const CenterGroups& groups_;
    std::size_t row_;
    std::vector<double> distances_;
};

// Calls check(row) for some rows, others at each step, until it finds something.
template <class Check>
std::string first_violation(std::size_t n_rows, std::size_t step, Check check) {
    const std::size_t stride = std::max<std::size_t>(n_rows / kSampledRows, 1);
    for (std::size_t row = step % stride; row < n_rows; row += stride) {
        const std::string violation = check(row);
        if (!violation.empty()) return "step " + std::to_string(step) + ", " + violation;
    }
    return "";
}

}  // namespace

std::string bound_violation(const BoundState& state, const Centers& centers) {
    return first_violation(state.rows.n_rows, state.n_calls,
                           [&](std::size_t row) { return RowCheck(state, centers, row)(); });
}

std::string margin_violation(const LaneBounds& bounds, const Rows& rows, const Centers& centers,
                             const LabelArray& labels) {
    const ExactKernels& kernel = *kernels().exact;
    std::vector<double> wide(rows.n_features);
    return first_violation(rows.n_rows, bounds.n_steps(), [&](std::size_t row) -> std::string {
        const std::int32_t label = labels.of(row);
        const double margin = bounds.margin_left(row, label);
        if (!(margin > 0)) return "";
        kernel.widen[rows.dtype](rows.row(row), rows.n_features, wide.data());
        const auto distance = [&](std::size_t j) {
            return std::sqrt(kernel.squared_distance(wide.data(), centers.row(j), rows.n_features));
        };
        const auto own = static_cast<std::size_t>(label);
        for (std::size_t j = 0; j < centers.n_clusters; ++j)
            if (j != own && !holds(distance(own) + margin, distance(j)))
                return message(row, "the lower bound of centroid", j, distance(own) + margin, distance(j));
        return "";
    });
}

void abort_on(const std::string& violation) {
    if (violation.empty()) return;
    std::fprintf(stderr, "a carried bound does not hold: %s\n", violation.c_str());
    std::abort();
}

}  // namespace kmosaic
