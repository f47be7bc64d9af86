// Candidate pairs of rows without codes, by the triangle inequality and then by tiles of distances.
//
// |x - c| >= |c - s| - |x - s| for the row's nearest seed s, so c is no nearer than s if |c - s| >= 2 |x - s|
// (Elkan 2003, ICML, lemma 1). Rows for which this holds of all candidates are not read.
#pragma once

#include "seeding/candidate_pairs.hpp"

namespace kmosaic {

class TiledPairs : public CandidatePairs {
  public:
    TiledPairs(const Rows& rows, const NearestSeeds& nearest);

    void take(const std::vector<std::size_t>& candidates, const Parallel& parallel) override;
    // The same for candidates in float64, one after the other, which need not be among the rows.
    void take_values(std::vector<double> candidates, const Parallel& parallel);
    // The rows at hand, of which the first has this number; `find` is for these alone.
    void set_rows(const Rows& rows, std::size_t first);
    void accept(std::size_t candidate) override;
    [[nodiscard]] std::unique_ptr<Finder> finder() const override;

  private:
    friend class TiledFinder;

    Rows rows_;
    std::size_t first_ = 0;
    const Kernels& table_;
    const NearestSeeds& nearest_;
    std::vector<double> wide_;    // candidates in float64
    std::vector<double> panels_;  // and in panels: see core/panels.hpp
    std::size_t n_candidates_ = 0;
    std::vector<double> seeds_;  // in float64
    std::vector<double>
        reaches_;  // [seed]: no candidate is nearer to a row whose nearest square is at most this
};

}  // namespace kmosaic
