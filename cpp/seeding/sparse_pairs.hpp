// Candidate pairs of sparse rows, by the triangle inequality as in tiled_pairs.hpp, then by products of the
// values that are not 0.
#pragma once

#include "core/sparse_rows.hpp"
#include "seeding/candidate_pairs.hpp"

namespace kmosaic {

class SparsePairs : public CandidatePairs {
  public:
    SparsePairs(const SparseRows& rows, const NearestSeeds& nearest);

    void take(const std::vector<std::size_t>& candidates, const Parallel& parallel) override;
    void accept(std::size_t candidate) override { seeds_.push_back(candidates_[candidate]); }
    [[nodiscard]] std::unique_ptr<Finder> finder() const override;

  private:
    friend class SparseFinder;

    void write_candidates(bool values);

    SparseRows rows_;
    const NearestSeeds& nearest_;
    decltype(ExactKernels::subtract_products) subtract_products_;
    std::vector<double> norms_;  // [row], squared
    std::vector<std::size_t> candidates_;
    std::size_t width_ = 0;
    std::vector<double> wide_;  // [feature][candidate], width_ of them
    std::vector<std::size_t> seeds_;
    std::vector<double> reaches_;  // as in TiledPairs
};

}  // namespace kmosaic
