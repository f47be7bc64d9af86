// Which rows a few candidate seeds would come nearer to than the row's nearest seed, and by how much.
//
// Most pairs of a row and a candidate are ruled out by a bound; the rest are measured by ExactKernels::squared_distance
// in float64, whatever ruled the others out. So neither bounds, instruction set nor dtype change what is found.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "filters/quantized_centers.hpp"

namespace kmosaic {

// Candidates measured together: those a panel holds.
constexpr std::size_t kMaxCandidates = kPanelWidth;

// What is known of each row: its squared distance to its nearest seed, and which seed that is (ties: the first).
struct NearestSeeds {
    explicit NearestSeeds(std::size_t n_rows)
        : squares(n_rows, std::numeric_limits<double>::infinity()), seeds(n_rows, -1) {}

    std::vector<double> squares;
    std::vector<std::int32_t> seeds;
};

// A pair whose squared distance is below the row's nearest.
struct CloserPair {
    double square;
    std::uint32_t row;  // within the block of rows
    std::uint32_t candidate;
};

class CandidatePairs {
  public:
    // One thread's search.
    class Finder {
      public:
        virtual ~Finder() = default;
        // Appends the pairs of rows first .. first + count - 1 and those candidates whose bit is set; by row.
        virtual void find(std::size_t first, std::size_t count, std::uint32_t candidates,
                          std::vector<CloserPair>& found) = 0;
    };

    virtual ~CandidatePairs() = default;
    // The next rows to be tried, at most kMaxCandidates.
    virtual void take(const std::vector<std::size_t>& candidates, const Parallel& parallel) = 0;
    // The candidate taken at this place has become a seed.
    virtual void accept(std::size_t candidate) = 0;
    [[nodiscard]] virtual std::unique_ptr<Finder> finder() const = 0;
};

// By certified scores of the rows' codes (quantized_centers.hpp) where there are any, and else, where they are null, by the
// triangle inequality and tiles of distances.
std::unique_ptr<CandidatePairs> candidate_pairs(const Rows& rows, const CodedRows* coded,
                                                const NearestSeeds& nearest);

}  // namespace kmosaic
