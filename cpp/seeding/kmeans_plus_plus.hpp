// Greedy k-means++: each seed is the best of a few rows drawn in proportion to their mass, weight times
// squared distance to the nearest seed (before there is one: the weight). Arthur and Vassilvitskii (2007),
// SODA, section 5.
//
// A candidate's gain is the decrease of the weighted sum of squared distances if it becomes a seed,
//
//   sum_i w_i max(nearest_i - |x_i - c|^2, 0),
//
// to which only rows contribute that the candidate is nearer to. While there are few seeds,
// candidate_pairs.hpp finds these rows, block by block; later, when a candidate is nearer to few rows, a tree
// does (box_tree.hpp). Gains are added row by row in fixed blocks of rows, and masses in fixed blocks along
// the hash order: no bit depends on the threads or on how the rows were found.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "seeding/box_tree.hpp"
#include "seeding/candidate_pairs.hpp"

namespace kmosaic {

class Seeder {
  public:
    // Rows are drawn along `order`, which holds each row number once. `coded` are the codes of the rows, or
    // null.
    Seeder(const Rows& rows, const std::int64_t* order, const CodedRows* coded);
    Seeder(const Seeder&) = delete;
    Seeder& operator=(const Seeder&) = delete;

    // A row for each number in [0, 1), found in the cumulated masses. None if no row has mass.
    [[nodiscard]] std::vector<std::size_t> draw(const std::vector<double>& numbers) const;

    // Each candidate's gain. Before there is a seed: minus the weighted sum of squared distances to the
    // candidate.
    std::vector<double> gains(const std::vector<std::size_t>& candidates, const Parallel& parallel);

    // Makes the candidate of largest gain (ties: the first) a seed; returns its row.
    std::size_t add_best(const std::vector<std::size_t>& candidates, const Parallel& parallel);

    [[nodiscard]] const NearestSeeds& nearest() const { return nearest_; }

  private:
    // The pairs and gains of the last candidates in a block of rows.
    struct Block {
        std::vector<CloserPair> pairs;
        bool complete = true;  // else there were too many pairs, and none are kept
        double gains[kMaxCandidates] = {};
    };

    void build_tree(const Parallel& parallel);
    [[nodiscard]] double gain(const std::vector<NearerRow>& nearer) const;
    void find(const std::vector<std::size_t>& candidates, const Parallel& parallel);
    void add_gains(std::size_t block, std::size_t n_candidates, const std::vector<CloserPair>& pairs);
    void take_over(std::size_t row, double square);
    std::size_t lower(std::size_t candidate, const Parallel& parallel);
    void lower_nearer(std::size_t candidate, const Parallel& parallel);
    void sum_masses(std::size_t block);
    void sum_all_masses(const Parallel& parallel);
    void sum_changed_masses(std::size_t candidate, std::size_t n_changed, const Parallel& parallel);

    Rows rows_;
    const std::int64_t* order_;
    std::vector<std::size_t> place_;  // of each row in the order
    std::vector<double> masses_;      // along the order
    std::vector<double> mass_sums_;   // of blocks of them
    NearestSeeds nearest_;
    std::unique_ptr<CandidatePairs> pairs_;
    std::vector<Block> blocks_;
    bool has_codes_;                              // which rule out more rows than a tree
    std::unique_ptr<BoxTree> tree_;               // replaces pairs_ and blocks_
    std::vector<std::vector<NearerRow>> nearer_;  // by candidate, found by the tree
    std::int32_t n_seeds_ = 0;
};

}  // namespace kmosaic
