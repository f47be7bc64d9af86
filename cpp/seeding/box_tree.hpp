// Finds the rows that a few candidate seeds are nearer to than the row's nearest seed, once there are many
// seeds: by a tree of bounding boxes over the rows, sixteen entries a node, split as a k-d tree (Bentley
// 1975) and packed as an R-tree (Guttman 1984, SIGMOD).
//
// Each entry has a reach, the largest distance of its rows to their nearest seed. A candidate farther from a
// box is the nearest seed of none of its rows, and skips the box: the exact acceleration of k-means++ by
// filtering (Raff 2021, IJCAI), for groups of rows instead of single rows. Coordinates are float32; reaches
// and slacks cover the rounding (L23 in docs/developer/proof.md). ExactKernels::squared_distance measures
// what remains, so that no bit depends on the tree.
#pragma once

#include <cstdint>
#include <vector>

#include "core/aligned.hpp"
#include "seeding/candidate_pairs.hpp"

namespace kmosaic {

constexpr std::size_t kMaxTreeFeatures = std::size_t{1} << 16;

// A row that a candidate is nearer to than the row's nearest seed.
struct NearerRow {
    std::size_t row;
    double square;
};

class BoxTree {
  public:
    static bool possible(const Rows& rows);

    BoxTree(const Rows& rows, const NearestSeeds& nearest, const Parallel& parallel);

    // nearer[c] = the rows that candidate c is nearer to than their nearest seeds, in ascending order.
    void find(const std::vector<std::size_t>& candidates, std::vector<std::vector<NearerRow>>& nearer,
              const Parallel& parallel);

    // Updates the reaches after the row's nearest distance has become less.
    void lower(std::size_t row);

    // How many pairs of a row and a candidate the last search has measured.
    [[nodiscard]] std::size_t n_measured() const { return n_measured_; }

  private:
    // Nodes of kBoxFanOut entries. An entry is a row on level 0, and above it a node of the level below.
    struct Level {
        std::size_t n_nodes;
        AlignedVector<float> entries;  // [node][feature][lane], or [node][feature][low, high][lane]
        AlignedVector<float> reaches;  // [node][lane]
    };
    // A node or, of level 0, a row's position, and a bit for each candidate that may be within its reach.
    struct Visit {
        std::uint32_t node;
        std::uint32_t candidates;
    };
    struct Found {
        std::vector<CloserPair> pairs;
        std::size_t n_measured = 0;
    };
    struct Search;

    void place_origin();
    void place_rows(const Parallel& parallel);
    static Level empty_level(std::size_t n_entries, std::size_t n_values);
    void add_level(const Parallel& parallel);
    void bound(Level& level, std::size_t node) const;
    float convert(const double* row, float* out) const;
    [[nodiscard]] float reach(std::size_t position) const;
    [[nodiscard]] Search start(const std::vector<std::size_t>& candidates) const;
    void descend(const Search& search, std::size_t n_candidates);
    void children(const Search& search, std::size_t level, const Visit& visit, std::vector<Visit>& out) const;

    Rows rows_;
    const Kernels& table_;
    const NearestSeeds& nearest_;
    double scale_ = 1;
    double margin_;  // m of L23
    std::vector<double> origin_;
    std::vector<std::uint32_t> row_at_;    // [position]
    std::vector<std::uint32_t> position_;  // [row]
    std::vector<float> errors_;            // [position]: e_x of L23
    std::vector<Level> levels_;
    std::size_t n_measured_ = 0;
    std::vector<Visit> visits_, next_;  // of the present search
    std::vector<Found> found_;          // by task
};

}  // namespace kmosaic
