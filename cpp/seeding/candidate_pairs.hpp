// Finds the rows that a few candidate seeds are nearer to than the row's nearest seed.
//
// Bounds rule out most pairs of a row and a candidate (L22 in docs/developer/proof.md). The others are
// measured by ExactKernels::squared_distance in float64, so that the result depends neither on bounds nor on
// instruction set or dtype.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "filters/quantized_centers.hpp"

namespace kmosaic {

// Candidates compared at a time: as many as a panel holds.
constexpr std::size_t kMaxCandidates = kPanelWidth;

// Each row's squared distance to its nearest seed, and the number of that seed (ties: the first).
struct NearestSeeds {
    explicit NearestSeeds(std::size_t n_rows)
        : squares(n_rows, std::numeric_limits<double>::infinity()), seeds(n_rows, -1) {}

    std::vector<double> squares;
    std::vector<std::int32_t> seeds;
};

// The candidates (bits) that may be nearer to a row than its nearest seed.
struct RowCandidates {
    std::uint32_t row;
    std::uint32_t candidates;
    double nearest;  // the squared distance to that seed
};

// A pair whose squared distance is less than that of the row's nearest seed.
struct CloserPair {
    double square;
    std::uint32_t row;  // within the block of rows
    std::uint32_t candidate;
};

// The rows of these numbers in float64, one after the other.
inline std::vector<double> widened(const Rows& rows, const std::vector<std::size_t>& numbers,
                                   const Kernels& table) {
    std::vector<double> wide(numbers.size() * rows.n_features);
    for (std::size_t c = 0; c < numbers.size(); ++c)
        table.exact->widen[rows.dtype](rows.row(numbers[c]), rows.n_features,
                                       wide.data() + c * rows.n_features);
    return wide;
}

// Appends the pairs of a row and those candidates (bits) whose squared distance is below `nearest`.
inline void measure_pairs(const Kernels& table, const double* row, const std::vector<double>& candidates,
                          std::size_t n_features, const RowCandidates& pairs,
                          std::vector<CloserPair>& found) {
    for (std::uint32_t bits = pairs.candidates; bits; bits &= bits - 1) {
        const auto c = static_cast<std::uint32_t>(std::countr_zero(bits));
        const double square =
            table.exact->squared_distance(row, candidates.data() + c * n_features, n_features);
        if (square < pairs.nearest) found.push_back({square, pairs.row, c});
    }
}

class CandidatePairs {
  public:
    // One thread's search.
    class Finder {
      public:
        virtual ~Finder() = default;
        // Appends the pairs of rows first .. first + count - 1 and of candidates whose bit is set, ordered by
        // row.
        virtual void find(std::size_t first, std::size_t count, std::uint32_t candidates,
                          std::vector<CloserPair>& found) = 0;
    };

    virtual ~CandidatePairs() = default;
    // Sets the candidates, at most kMaxCandidates row numbers.
    virtual void take(const std::vector<std::size_t>& candidates, const Parallel& parallel) = 0;
    // The candidate of this index has become a seed.
    virtual void accept(std::size_t candidate) = 0;
    [[nodiscard]] virtual std::unique_ptr<Finder> finder() const = 0;
};

}  // namespace kmosaic
