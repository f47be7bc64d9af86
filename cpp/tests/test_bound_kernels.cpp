// Kernels on rows' bounds, of every instruction set, against plain loops: the same answers, and never a bound
// too sharp.
#include <cmath>
#include <limits>

#include "check.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::size_t kRowCounts[] = {0, 1, 7, 8, 9, 33, 256};

std::vector<float> numbers(std::size_t n, double largest, Random& random) {
    std::vector<float> values(n);
    for (float& value : values) value = static_cast<float>(largest * uniform(random));
    return values;
}

// Upper bounds to compare with: numbers, -1 (no bound), infinity and NaN.
std::vector<float> uppers_of(std::size_t n, double largest, Random& random) {
    std::vector<float> uppers = numbers(n, largest, random);
    for (float& upper : uppers) {
        const std::size_t kind = below(random, 20);
        if (kind == 0) upper = -1;
        if (kind == 1) upper = kInfinity;
        if (kind == 2) upper = std::numeric_limits<float>::quiet_NaN();
    }
    return uppers;
}

struct Groups {
    Groups(std::size_t n_rows, std::size_t n_groups, Random& random)
        : bounds(n_rows * n_groups), group_drift(numbers(n_groups, 40, random)), all{} {
        for (std::uint16_t& bound : bounds) bound = static_cast<std::uint16_t>(below(random, 1 << 16));
        group_drift.resize(16);
        all = {bounds.data(), group_drift.data(), 0x1p-9F, n_groups};
    }
    // Exact in float64, and so few bits that float32 has them, too.
    [[nodiscard]] float now(std::size_t row, std::size_t g) const {
        return std::fma(static_cast<float>(bounds[row * all.n_groups + g]), all.unit, -group_drift[g]);
    }

    std::vector<std::uint16_t> bounds;
    std::vector<float> group_drift;
    GroupBounds all;
};

template <class Check>
void for_each_kernel(Check check) {
    Random random(3);
    for (const std::string& name : supported_variants()) {
        for (const std::size_t n : kRowCounts) {
            context() = name + " n_rows=" + std::to_string(n);
            check(*table(name).bounds, n, random);
        }
    }
}

TEST(upper_bounds_follow_their_centroids) {
    for_each_kernel([](const BoundKernels& kernels, std::size_t n, Random& random) {
        const std::vector<float> moved = numbers(5, 3, random), upper = numbers(n, 100, random);
        std::vector<float> upper_slack = numbers(n, 9, random), now(n);
        const std::vector<float> before = upper_slack;
        std::vector<std::int32_t> labels(n), labels_before(n);
        for (std::size_t r = 0; r < n; ++r) {
            labels[r] = static_cast<std::int32_t>(below(random, 6)) - 1;
            labels_before[r] = below(random, 3) ? labels[r] : static_cast<std::int32_t>(below(random, 6)) - 1;
        }
        kernels.follow({labels.data(), labels_before.data(), upper.data(), upper_slack.data()}, moved.data(),
                       1.5F, n, now.data());
        for (std::size_t r = 0; r < n; ++r) {
            const bool known = labels[r] >= 0 && labels[r] == labels_before[r];
            const float drift = known ? before[r] + moved[static_cast<std::size_t>(labels[r])] : before[r];
            CHECK(upper_slack[r] >= drift && upper_slack[r] <= drift * (1 + 1e-6F));
            CHECK(now[r] == (known ? (upper[r] + upper_slack[r]) * 1.5F : -1));
        }
    });
}

TEST(groups_are_open_where_their_bound_is_not_above) {
    for_each_kernel([](const BoundKernels& kernels, std::size_t n, Random& random) {
        for (const std::size_t n_groups : {1U, 2U, 4U, 8U, 16U}) {
            const Groups groups(n, n_groups, random);
            std::vector<float> uppers = uppers_of(n, 128, random);
            if (n > 0) uppers[0] = groups.now(0, 0);  // a tie
            std::vector<std::uint16_t> failed(n);
            kernels.failed_groups(groups.all, uppers.data(), n, failed.data());
            for (std::size_t r = 0; r < n; ++r)
                for (std::size_t g = 0; g < 16; ++g) {
                    const bool wanted = g < n_groups && !(groups.now(r, g) > uppers[r]);
                    // Multiplied and subtracted, or both in one: the last bit may differ.
                    const bool close = g < n_groups && std::fabs(groups.now(r, g) - uppers[r]) < 1e-4F;
                    CHECK(close || (failed[r] >> g & 1) == wanted);
                }
        }
    });
}

TEST(neighbours_are_open_where_their_bound_is_not_above) {
    for_each_kernel([](const BoundKernels& kernels, std::size_t n, Random& random) {
        const std::vector<float> center_drift_totals = numbers(9, 20, random),
                                 uppers = uppers_of(n, 100, random);
        std::vector<Neighbour> lists(n * kNeighbours);
        for (std::size_t r = 0; r < n; ++r)
            for (std::size_t b = 0; b < below(random, kNeighbours + 1); ++b)
                lists[r * kNeighbours + b] = {
                    static_cast<std::int32_t>(below(random, center_drift_totals.size())),
                    static_cast<float>(100 * uniform(random))};
        std::vector<std::uint16_t> failed(n);
        kernels.failed_neighbours(lists.data(), center_drift_totals.data(), uppers.data(), n, failed.data());
        for (std::size_t r = 0; r < n; ++r) {
            unsigned wanted = 0;
            for (std::size_t b = 0; b < kNeighbours; ++b) {
                const Neighbour& neighbour = lists[r * kNeighbours + b];
                if (neighbour.centroid < 0) break;
                const float bound =
                    neighbour.bound - center_drift_totals[static_cast<std::size_t>(neighbour.centroid)];
                wanted |= static_cast<unsigned>(!(bound > uppers[r])) << b;
            }
            CHECK(failed[r] == wanted);
        }
    });
}

// A centroid no more than `upper` away has a score of at most upper^2 - square, with any square from (norm -
// error)^2 on.
TEST(limits_of_coarse_scores_are_safe_and_not_far_off) {
    for_each_kernel([](const BoundKernels& kernels, std::size_t n, Random& random) {
        for (const bool errors : {false, true}) {
            const std::vector<float> uppers = numbers(n, 2000, random), norms = numbers(n, 3000, random),
                                     codes = numbers(n, 2, random), pca_codes = numbers(n, 5, random);
            std::vector<float> limits(n), squares(n);
            const CoarseErrors uncertain{3.25,
                                         2000.5,
                                         900.25,
                                         norms.data(),
                                         errors ? codes.data() : nullptr,
                                         errors ? pca_codes.data() : nullptr};
            kernels.coarse_limits(uncertain, uppers.data(), n, limits.data(), squares.data());
            for (std::size_t r = 0; r < n; ++r) {
                const double code = errors ? static_cast<double>(codes[r]) : 0.0;
                const double slack =
                    3.25 + 2000.5 * code + (errors ? 900.25 * static_cast<double>(pca_codes[r]) : 0);
                const double least = std::max(static_cast<double>(norms[r]) * (1 - 0x1p-22) - code, 0.0);
                const double square = least * least, upper = static_cast<double>(uppers[r]);
                const double rounding = 1e-5 * (upper * upper + square + slack);
                const auto limit = static_cast<double>(limits[r]), lower = static_cast<double>(squares[r]);
                CHECK(limit >= upper * upper - square + slack);
                CHECK(limit <= upper * upper - square + slack + rounding);
                CHECK(lower <= square - slack);
                CHECK(lower >= square - slack - rounding);
            }
        }
    });
}

TEST(lanes_are_below_where_they_lower_their_groups_bound) {
    for_each_kernel([](const BoundKernels& kernels, std::size_t n, Random& random) {
        for (const std::size_t n_groups : {1U, 8U, 16U}) {
            const Groups groups(n, n_groups, random);
            std::int32_t group_of_lane[kPanelWidth];
            for (std::int32_t& group : group_of_lane)
                group = static_cast<std::int32_t>(below(random, n_groups));
            std::vector<float> scores = numbers(n * kPanelWidth, 9000, random);
            for (std::size_t i = 0; i < scores.size(); i += 5) scores[i] = kInfinity;
            const std::vector<float> squares = numbers(n, 3000, random);
            std::vector<std::uint16_t> lanes(n);
            kernels.below(scores.data(), squares.data(), groups.all, group_of_lane, n, lanes.data());
            for (std::size_t r = 0; r < n; ++r)
                for (std::size_t l = 0; l < kPanelWidth; ++l) {
                    const auto bound =
                        static_cast<double>(groups.now(r, static_cast<std::size_t>(group_of_lane[l])));
                    const double square =
                        static_cast<double>(scores[r * kPanelWidth + l]) + static_cast<double>(squares[r]);
                    const bool close = std::fabs(square - bound * bound) < 1e-2;
                    CHECK(close || (lanes[r] >> l & 1) == (bound > 0 && square < bound * bound));
                }
        }
    });
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
