// Int16 filter for integer rows of few features: most rows' nearest centroid by products of 16-bit integers,
// at half the cost of float32, and proof that it is the nearest.
//
// Scores are t_j = rint(z/2 |C_j|^2) - X.q_j, with X = x - o, C_j = c_j - o, q_j = rint(z C_j) and z a power
// of two; the low bits of a score hold the centroid's index. The centroid of least score is the nearest if
//
//   second least - least > slack + 2 sum_f floor(|X_f| / 2),
//
// slack = ceil(2 + n_features + 2e-5 sum_f R_f) + 2 label_mask, R_f the largest |X_f| of any row: L7 in
// docs/developer/proof.md. The other rows are left undecided.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

// A centroid's index takes the low bits of its scores.
constexpr std::size_t kMaxInt16Clusters = 256;

// The least and greatest value of each feature; for uint8 rows, of the type.
struct Int16Range {
    std::vector<std::uint16_t> low, high;
};

// For uint8 or uint16 rows of at most kMaxLowDimFeatures.
Int16Range int16_range(const Rows& rows, const Int16Kernels& kernels, const Parallel& parallel);

class Int16Filter {
  public:
    // For at most kMaxInt16Clusters centroids. Later copies of an equal centroid are excluded.
    Int16Filter(const Centers& centers, Dtype dtype, const Int16Range& range);

    [[nodiscard]] const Int16Centers& centroids() const { return view_; }
    // Not of centroids so far away that their squares overflow.
    [[nodiscard]] static bool possible(const Centers& centers);

  private:
    void set_coefficients(const Centers& centers, Dtype dtype, const Int16Range& range);

    std::vector<std::int32_t> coefficients_;
    std::vector<std::int32_t> constants_;
    std::vector<std::int32_t> origins_;
    std::vector<std::int32_t> present_;
    Int16Centers view_;
};

}  // namespace kmosaic
