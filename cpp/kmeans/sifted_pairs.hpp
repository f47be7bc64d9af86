// Candidate seeds as centroids of one panel: sketches rule out nearly all rows, codes nearly all of the rest.
#pragma once

#include "kmeans/candidate_pairs.hpp"

namespace kmosaic {

class SiftedPairs : public CandidatePairs {
  public:
    SiftedPairs(const Rows& rows, const BoundedAssigner& bounded, const Nearest& nearest);

    void take(const std::vector<std::size_t>& candidates, const Parallel& parallel) override;
    void accept(std::size_t) override {}
    [[nodiscard]] std::unique_ptr<Finder> finder() const override;

    // Whether distances in units of codes neither overflow nor underflow.
    static bool possible(const BoundedAssigner& bounded);

  private:
    friend class SiftedFinder;

    [[nodiscard]] float limit_of(std::size_t row) const;

    Rows rows_;
    const Kernels& table_;
    const RowCodes& codes_;
    const RowSketches& sketches_;
    const Nearest& nearest_;
    double inverse_;         // of the codes' scale
    double inverse_square_;  // and its square
    std::vector<std::size_t> candidates_;
    std::vector<double> wide_;              // candidates in float64
    std::unique_ptr<CentroidCodes> panel_;  // of the candidates
};

}  // namespace kmosaic
