// Sums of squares of real or weighted rows. They round, and so are added in a fixed pattern: feature by
// feature over blocks of kSquaresBlock rows, then over features, then block by block.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "core/sparse_rows.hpp"

namespace kmosaic {

class ClusterSums;

constexpr std::size_t kSquaresBlock = 4096;

// The sum of one block, whose rows may come in parts.
class SquareSums {
  public:
    SquareSums(const std::vector<double>& origin, bool weighted);

    // Rows first .. last - 1.
    void add(const Rows& rows, std::size_t first, std::size_t last);
    void add(const SparseRows& rows, std::size_t first, std::size_t last);
    [[nodiscard]] std::size_t n_rows() const { return n_rows_; }
    // The sum in double-double, (high, low); begins the next block.
    std::pair<double, double> take();

  private:
    void clear();
    // The origin of the values from this one on; null if it is 0 and rows have no weights.
    [[nodiscard]] const double* origin(std::size_t at) const {
        return at_zero_ ? nullptr : origin_.data() + at;
    }

    std::size_t tile_;  // rows added at a time
    bool at_zero_;      // whether rows have no weights and the origin is 0
    std::size_t n_features_;
    std::size_t n_rows_ = 0;
    std::vector<double> origin_, high_, low_;
};

// Adds the squares of rows that come in parts of any size to sums: the bits of add_squares() of all at once.
class SquaresInParts {
  public:
    explicit SquaresInParts(ClusterSums& sums);

    void add(const Rows& rows, const Parallel& parallel);
    void add(const SparseRows& rows, const Parallel& parallel);
    // To be called after the last part.
    void finish();

  private:
    template <class AnyRows>
    void add_to_block(const AnyRows& rows, std::size_t first, std::size_t last);

    ClusterSums& sums_;
    SquareSums block_;
};

}  // namespace kmosaic
