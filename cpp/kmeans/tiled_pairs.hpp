// Candidate seeds for rows without codes: what the triangle inequality does not rule out, a tile of distances does.
//
// |x - c| >= |c - s| - |x - s| for the row's nearest seed s. So where |c - s| >= 2 |x - s|, c is no nearer than s:
// rows whose nearest square is no more than the least |c - s|^2 / 4 over the candidates c are not even read.
// Elkan (2003), ICML, lemma 1.
#pragma once

#include "kmeans/candidate_pairs.hpp"

namespace kmosaic {

class TiledPairs : public CandidatePairs {
  public:
    TiledPairs(const Rows& rows, const Nearest& nearest);

    void take(const std::vector<std::size_t>& candidates, const Parallel& parallel) override;
    void accept(std::size_t candidate) override;
    [[nodiscard]] std::unique_ptr<Finder> finder() const override;

  private:
    friend class TiledFinder;

    Rows rows_;
    const Kernels& table_;
    const Nearest& nearest_;
    std::vector<double> wide_;    // candidates in float64
    std::vector<double> panels_;  // and eight at a time, [panel][feature][lane]
    std::size_t n_candidates_ = 0;
    std::vector<double> seeds_;    // in float64
    std::vector<double> reaches_;  // by seed: nearest squares up to this are safe from all candidates
};

}  // namespace kmosaic
