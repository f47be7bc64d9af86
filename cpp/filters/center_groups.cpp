#include "filters/center_groups.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

namespace kmosaic {

namespace {

// Whole panels, or a half, quarter, ... of one.
std::size_t lanes_for(std::size_t n_clusters, std::size_t max_groups) {
    const std::size_t n = ceil_div(n_clusters, max_groups);
    return n <= kPanelWidth ? std::bit_ceil(n) : round_up(n, kPanelWidth);
}

class Bisection {
  public:
    Bisection(CenterGroups& center_groups, const std::vector<float>& points, std::size_t width)
        : center_groups_(center_groups),
          points_(points),
          width_(width),
          order_(center_groups.lane_of.size()) {
        std::iota(order_.begin(), order_.end(), 0);
    }

    // Assigns the centroids order_[first, last) to groups [group, group + n_groups).
    void split(std::size_t first, std::size_t last, std::size_t group, std::size_t n_groups) {
        if (n_groups == 1) {
            for (std::size_t i = first; i < last; ++i) {
                const std::size_t lane = group * center_groups_.lanes_per_group + (i - first);
                center_groups_.centroid_of[lane] = order_[i];
                center_groups_.lane_of[static_cast<std::size_t>(order_[i])] = static_cast<std::int32_t>(lane);
            }
            return;
        }
        const std::size_t n_left = n_groups / 2;
        const std::size_t middle = first + (last - first) * n_left / n_groups;
        const std::vector<float> positions = project_on_diameter(first, last);
        const auto begin = order_.begin();
        std::nth_element(begin + static_cast<std::ptrdiff_t>(first),
                         begin + static_cast<std::ptrdiff_t>(middle),
                         begin + static_cast<std::ptrdiff_t>(last), [&](std::int32_t a, std::int32_t b) {
                             const float x = positions[static_cast<std::size_t>(a)];
                             const float y = positions[static_cast<std::size_t>(b)];
                             return x != y ? x < y : a < b;
                         });
        split(first, middle, group, n_left);
        split(middle, last, group + n_left, n_groups - n_left);
    }

  private:
    [[nodiscard]] const float* point(std::size_t i) const {
        return points_.data() + static_cast<std::size_t>(order_[i]) * width_;
    }

    // Each centroid's position, by index, along the line between two that are far apart.
    std::vector<float> project_on_diameter(std::size_t first, std::size_t last) const {
        const std::size_t a = farthest_from(point(first), first, last);
        const std::size_t b = farthest_from(point(a), first, last);
        std::vector<float> positions(order_.size(), 0.0F);
        for (std::size_t i = first; i < last; ++i) {
            float sum = 0;
            for (std::size_t f = 0; f < width_; ++f) sum += point(i)[f] * (point(b)[f] - point(a)[f]);
            positions[static_cast<std::size_t>(order_[i])] = sum == sum ? sum : 0.0F;
        }
        return positions;
    }

    std::size_t farthest_from(const float* from, std::size_t first, std::size_t last) const {
        std::size_t farthest = first;
        float most = -1;
        for (std::size_t i = first; i < last; ++i) {
            float square = 0;
            for (std::size_t f = 0; f < width_; ++f) {
                const float difference = point(i)[f] - from[f];
                square += difference * difference;
            }
            if (square > most) {
                most = square;
                farthest = i;
            }
        }
        return farthest;
    }

    CenterGroups& center_groups_;
    const std::vector<float>& points_;
    std::size_t width_;
    std::vector<std::int32_t> order_;
};

}  // namespace

CenterGroups::CenterGroups(std::size_t n_clusters, std::size_t max_groups)
    : n_groups(0), lanes_per_group(lanes_for(n_clusters, max_groups)), lane_of(n_clusters, 0) {
    n_groups = ceil_div(n_clusters, lanes_per_group);
    centroid_of.assign(round_up(n_groups * lanes_per_group, kPanelWidth), -1);
}

void CenterGroups::assign_lanes(const std::vector<float>& points, std::size_t width) {
    std::fill(centroid_of.begin(), centroid_of.end(), -1);
    Bisection(*this, points, width).split(0, lane_of.size(), 0, n_groups);
}

}  // namespace kmosaic
