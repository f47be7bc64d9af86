// The least and second least score of rows in lanes, what they decide, and margins.
#pragma once

#include "kernels/kernels.hpp"
#include "kernels/lanes.hpp"

namespace kmosaic::KMOSAIC_ISA {

constexpr float kInfinity = __builtin_inff();
// A row whose slack is not below this stays undecided: its scores might overflow (L5).
constexpr float kMaxSlack = 1e30F;

// Of `n` registers of rows.
template <std::size_t n>
struct Best {
    Lanes score[n];
    Lanes second[n];
    IntLanes label[n];
};

template <std::size_t n>
inline void start(Best<n>& best) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < n; ++v) {
        best.score[v] = best.second[v] = splat(kInfinity);
        best.label[v] = splat(std::int32_t{0});
    }
}

// Scores of `width` centroids whose labels count from `first`.
template <std::size_t width, std::size_t n>
inline void take_best(const Lanes (&scores)[width][n], std::size_t first, Best<n>& best) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < n; ++v) {
#pragma GCC unroll 8
        for (std::size_t i = 0; i < width; ++i) {
            const Lanes score = scores[i][v];
            const auto j = static_cast<std::int32_t>(first + i);
            best.label[v] = choose(below(score, best.score[v]), splat(j), best.label[v]);
            best.second[v] = least(best.second[v], greatest(best.score[v], score));
            best.score[v] = least(best.score[v], score);
        }
    }
}

// Of rows whose least and second least score differ by `lead`, and with twice |X|^2 add up to `both_squares`, slack
// included: lead / sqrt(2 both_squares) from below (L6).
inline Lanes margin_of(Lanes lead, Lanes both_squares) {
    const Lanes margin = greatest(lead, Lanes{}) / root(2 * both_squares) * 0.9999F;
    // With one centroid the margin is infinite.
    return only(both(below(Lanes{}, both_squares), below(margin, splat(kMaxSlack))), margin);
}

// Labels the rows, -1 for undecided ones, and computes their margins unless null. Returns whether all are decided.
template <std::size_t n>
inline bool decide(const Best<n>& best, const Lanes (&squares)[n], const LaneCenters& c, std::int32_t* labels,
                   float* margins) {
    bool all_decided = true;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < n; ++v) {
        const Lanes square = squares[v];
        const Lanes slack = square * c.row_factor + c.constant;
        const Mask decided =
            both(below(best.score[v] + slack, best.second[v]), below(slack, splat(kMaxSlack)));
        store(labels + v * kLanes, choose(decided, best.label[v], splat(std::int32_t{-1})));
        all_decided = all_decided && all(decided);
        if (margins)
            store(margins + v * kLanes, margin_of(best.second[v] - best.score[v] - slack - slack,
                                                  best.second[v] + best.score[v] + 2 * square + 4 * slack));
    }
    return all_decided;
}

}  // namespace kmosaic::KMOSAIC_ISA
