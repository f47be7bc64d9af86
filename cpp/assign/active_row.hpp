// The rows of a block whose bounds failed, and the candidates for their labels: see bounded_worker.hpp.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "assign/bounded_state.hpp"

namespace kmosaic {

// A row some of whose bounds failed.
struct ActiveRow {
    static constexpr std::uint32_t kNone = ~0U;

    ActiveRow(std::size_t row_, std::int32_t label_) : row(row_), label(label_) {}

    std::size_t row;
    std::int32_t label;     // its own centroid, or a guess
    bool measured = false;  // whether `own` is the score of that centroid
    Interval own{-std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    double best = own.high;             // an upper bound of the least score
    float upper = 0;                    // the distance of the label's centroid, from above
    std::uint32_t groups = 0;           // bits: the groups to prune
    std::uint32_t neighbours = 0;       // bits: the neighbours to score
    std::uint32_t fast_centers = 0;     // bits: the fast centres that may be nearest
    std::uint32_t unpruned = kNone;     // the first of a list of unpruned centroids
    std::uint32_t first_candidate = 0;  // where its candidates begin, and
    std::uint32_t n_candidates = 0;     // how many there are without the label
    ByteRow to_prune;                   // the kernel's input, if there are groups to prune
};

// A lane that is excluded for a row of a queue: that of its label, or of a neighbour.
struct ExcludedLane {
    std::uint32_t row;
    std::uint32_t lane;
};

// The active rows that are to be pruned by the same panels.
struct PruningQueue {
    std::vector<std::uint32_t> rows;
    std::vector<ExcludedLane> excluded;

    void clear() {
        rows.clear();
        excluded.clear();
    }
};

// An element of a row's list of unpruned centroids.
struct Unpruned {
    std::int32_t centroid;
    std::uint32_t next;
};

// A centroid that is not the nearest, with the lower end of its score.
struct RunnerUp {
    std::int32_t centroid = -1;
    double score = 0;
};

}  // namespace kmosaic
