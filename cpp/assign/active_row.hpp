// What a step with bounds keeps of a row, and of the centroids it may belong to, while its block is worked on.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "assign/bounded_assigner.hpp"

namespace kmosaic {

// A row some of whose bounds do not hold it back, while its block is worked on.
struct ActiveRow {
    static constexpr std::uint32_t kNone = ~0U;

    ActiveRow(std::size_t row_, std::int32_t label_) : row(row_), label(label_) {}

    std::size_t row;
    std::int32_t label;     // the centroid it is measured against: its own, or a guess
    bool measured = false;  // whether `own` is the score of that centroid
    Interval own{-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    double best = own.high;             // an upper bound of the least score
    float upper = 0;                    // the distance of its centroid before the sift, from above
    std::uint32_t groups = 0;           // bits: those to be sifted
    std::uint32_t neighbours = 0;       // bits: those of its neighbours to be scored
    std::uint32_t fast_centers = 0;     // bits: those movers that may be nearest
    std::uint32_t unpruned = kNone;     // the first of those a sift has left
    std::uint32_t first_candidate = 0;  // the first of its scored centroids, and
    std::uint32_t n_candidates = 0;     // how many there are, the label not among them
    ByteRow to_prune;                   // where it is sifted
};

// A lane that is not sifted for a row of a queue: its label's, or a neighbour's.
struct ExcludedLane {
    std::uint32_t row;
    std::uint32_t lane;
};

// The active rows that are to be sifted by the same panels.
struct PruningQueue {
    std::vector<std::uint32_t> rows;
    std::vector<ExcludedLane> excluded;

    void clear() {
        rows.clear();
        excluded.clear();
    }
};

struct Unpruned {
    std::int32_t centroid;
    std::uint32_t next;
};

// A centroid that is not the nearest, with its least score.
struct RunnerUp {
    std::int32_t centroid = -1;
    double score = 0;
};

struct Candidate {
    std::int32_t centroid;
    Interval score;
};

}  // namespace kmosaic
