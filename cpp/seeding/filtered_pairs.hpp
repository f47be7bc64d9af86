// Candidate pairs by quantised pruning: the candidates are the centroids of a panel. Coarse scores rule out
// nearly all rows, distances of the rows' codes nearly all others.
#pragma once

#include "core/aligned.hpp"
#include "seeding/candidate_pairs.hpp"

namespace kmosaic {

class FilteredPairs : public CandidatePairs {
  public:
    // The codes must outlive this.
    FilteredPairs(const Rows& rows, const CodedRows& coded, const NearestSeeds& nearest);

    void take(const std::vector<std::size_t>& candidates, const Parallel& parallel) override;
    void accept(std::size_t) override {}
    [[nodiscard]] std::unique_ptr<Finder> finder() const override;

  private:
    friend class FilteredFinder;

    void measure_sizes(const Parallel& parallel);
    void copy_codes();
    void sign_codes();

    Rows rows_;
    const Kernels& table_;
    const QuantizedRows& codes_;
    const PcaCodes& pca_codes_;
    const NearestSeeds& nearest_;
    double inverse_;         // of the codes' scale
    double inverse_square_;  // and its square
    std::vector<std::size_t> candidates_;
    std::vector<double> wide_;                 // candidates in float64
    std::unique_ptr<QuantizedCenters> panel_;  // of the candidates
    std::vector<std::vector<std::uint8_t>> candidate_codes_;
    // |v - c|^2 = (|v|^2 - 256 sum(v)) + |c|^2 - 2 v.(c - 128) for bytes v and c, c - 128 an int8.
    std::vector<std::int64_t> sizes_;  // by row, the first term; none where int8 products may saturate
    std::vector<AlignedVector<std::int8_t>> signed_;  // by candidate, c - 128
    std::vector<std::int64_t> squares_;               // by candidate, |c|^2
};

}  // namespace kmosaic
