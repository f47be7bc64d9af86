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

#include "core/sparse_rows.hpp"
#include "seeding/box_tree.hpp"
#include "seeding/candidate_pairs.hpp"
#include "seeding/tiled_pairs.hpp"

namespace kmosaic {

class Seeder {
  public:
    // Rows are drawn along `order`, which holds each row number once. `coded` are the codes of the rows, or
    // null.
    Seeder(const Rows& rows, const std::int64_t* order, const CodedRows* coded);
    Seeder(const SparseRows& rows, const std::int64_t* order);
    // Of rows that are given part by part, to begin .. accept below; `shape` has their number, features,
    // dtype and weights, and no values.
    static std::unique_ptr<Seeder> of_parts(const Rows& shape, const std::int64_t* order);
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
    [[nodiscard]] std::size_t n_rows() const { return rows_.n_rows; }
    [[nodiscard]] std::size_t n_features() const { return rows_.n_features; }
    [[nodiscard]] bool in_parts() const { return parts_ != nullptr; }
    // Whether begin() was called, and accept() was not since.
    [[nodiscard]] bool begun() const { return begun_; }

    // The steps of add_best() for rows that are given part by part: begin() with the values of the
    // candidates, find() for all parts in the order of rows; then, unless complete(), lower() for all parts
    // once more, and accept(). `first` is the number of a part's first row.
    void begin(std::vector<double> candidates, const Parallel& parallel);
    void find(const Rows& part, std::size_t first, const Parallel& parallel);
    [[nodiscard]] std::size_t best() const;
    [[nodiscard]] bool complete() const;
    void lower(const Rows& part, std::size_t first, const Parallel& parallel);
    void accept(const Parallel& parallel);

  private:
    // The pairs and gains of the last candidates in a block of rows.
    struct Block {
        std::vector<CloserPair> pairs;  // ordered by row
        bool complete = true;           // else there were too many pairs, and none are kept
        double gains[kMaxCandidates] = {};
    };

    Seeder(const Rows& rows, const std::int64_t* order, bool keeps_pairs);
    void build_tree(const Parallel& parallel);
    [[nodiscard]] std::vector<double> block_gains(std::size_t n_candidates) const;
    [[nodiscard]] double gain(const std::vector<NearerRow>& nearer) const;
    void find(const std::vector<std::size_t>& candidates, const Parallel& parallel);
    void add_gains(std::size_t block, std::size_t n_candidates, const std::vector<CloserPair>& pairs);
    void add_to_gains(std::size_t block, const std::vector<CloserPair>& pairs);
    template <class MakeWorker>
    void for_blocks_of(const Rows& part, std::size_t first, const Parallel& parallel, MakeWorker make_worker);
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
    TiledPairs* parts_ = nullptr;  // pairs_, where rows are given part by part
    bool begun_ = false;
    std::size_t n_candidates_ = 0;                // of begin()
    bool keeps_pairs_;                            // which no tree replaces
    std::unique_ptr<BoxTree> tree_;               // replaces pairs_ and blocks_
    std::vector<std::vector<NearerRow>> nearer_;  // by candidate, found by the tree
    std::int32_t n_seeds_ = 0;
};

}  // namespace kmosaic
