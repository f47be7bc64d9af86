// Certified screening of integer rows of few features in 16-bit words: most rows' nearest centroid, at half the cost of
// float32, and proof that it is.
//
// Let o be whole numbers, X = x - o with |X_f| <= R_f for every row, C = c - o, and S_j = |C_j|^2 - 2 X.C_j the score, least
// for the nearest centroid. With z = 2^scale and words q_f = rint(z C_f),
//
//   t_j = rint(z/2 |C_j|^2) - X.q_j        is a whole number, and
//   |t_j - z/2 S_j| <= 1/2 + sum_f |X_f| |q_f - z C_f| <= E = 1 + 1/2 sum_f |X_f| + 0.00001 sum_f R_f,
//
// where 1/2 and 0.00001 cover float64's rounding of C, |C|^2 and z C. Rows are read as x - b, b what their reader takes
// away, and o lies where rows may, so that both x - b and o - b are words. X.q = (x - b).q - (o - b).q, whose last product is
// part of the centroid's constant; sums may wrap around, since t_j itself fits: z is such that |t_j| < 2^29. The low bits of t_j give way to j, which moves it by at most `mask`.
// So where
//
//   second best - best > 2 E + 2 mask,      sum_f |X_f| <= n_features + 2 sum_f floor(|X_f| / 2),
//
// the best is the nearest centroid, for certain. The other rows are for the next screen.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

// The number of a centroid takes the low bits of its scores.
constexpr std::size_t kMaxInt16Clusters = 256;

// The least and greatest value of each feature; of uint8 rows, those of the type.
struct Int16Range {
    std::vector<std::uint16_t> low, high;
};

// Of rows of at most kMaxLowDimFeatures, uint8 or uint16.
Int16Range int16_range(const Rows& rows, const Int16Kernels& kernels, const Parallel& parallel);

class Int16Filter {
  public:
    // Of at most kMaxInt16Clusters centroids. Later copies of an equal one never win.
    Int16Filter(const Centers& centers, Dtype dtype, const Int16Range& range);

    [[nodiscard]] const Int16Centers& centroids() const { return view_; }
    // Not of centroids so far away that their squares overflow.
    [[nodiscard]] static bool possible(const Centers& centers);

  private:
    void place(const Centers& centers, Dtype dtype, const Int16Range& range);

    std::vector<std::int32_t> coefficients_;
    std::vector<std::int32_t> constants_;
    std::vector<std::int32_t> origins_;
    std::vector<std::int32_t> present_;
    Int16Centers view_;
};

}  // namespace kmosaic
