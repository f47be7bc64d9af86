// Certified screening in float32: rules out every centroid that cannot be the nearest, and proves it.
//
// The nearest centroid has the smallest score S_j = |C_j|^2 - 2 X.C_j, where X = (x - o) s and
// C_j = (c_j - o) s for any origin o and scale s. Let x', c' be X, C rounded to float32, u = 2^-24, and let v
// bound their relative rounding per component (u, plus 2u64 where x - o and c - o are rounded first). Then
//
//   |X.C - x'.c'|       <= (2v + v^2) |X| |C|                   (Cauchy-Schwarz, componentwise errors)
//   |fl(x'.c') - x'.c'| <= g |x'| |c'|,  g = m u / (1 - m u)    (Higham 2002, sec. 3.1; m additions on the
//                                                               longest path: one chunk, then chunk by
//                                                               chunk; FMA or not)
//   |fl(|C|^2) - |C|^2| <= (u + 2 d u64) |C|^2                  (summed in float64, rounded to float32)
//   |fl(n - 2p) - (n - 2p)| <= u (n + 2 |p|)
//
// so the computed score t_j differs from S_j by at most
//
//   E = (2g + 8u) |x'| C + (4u + 4 d u64) C^2,  C = max_j |C_j|,
//
// times a little for second-order terms (kSlack). If j* is nearest, t_j* <= S_j* + E <= S_j + E <= t_j + 2E
// for every j: every centroid whose score is above min t + 2E is ruled out. Rows for which E is not finite or
// is large enough to overflow are not screened: all centroids stay candidates.
#pragma once

#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

enum class Duplicates { kExcluded, kKept };

class Float32Filter {
  public:
    // Panels of the centroids for rows of this dtype. Later copies of an equal centroid are left out: ties go
    // to the lowest index, so they can never win; they are kept where more than the nearest is wanted.
    Float32Filter(const Centers& centers, Dtype dtype, Duplicates copies = Duplicates::kExcluded);

    [[nodiscard]] std::size_t n_panels() const { return n_panels_; }
    [[nodiscard]] const float* panels() const { return panels_.data(); }
    [[nodiscard]] const float* norms() const { return norms_.data(); }
    [[nodiscard]] const double* origin() const { return origin_.data(); }
    [[nodiscard]] double scale() const { return scale_; }

    // The score that no candidate exceeds, or +infinity where the row cannot be screened.
    [[nodiscard]] float limit(float least_score, float row_square) const;

  private:
    void place_origin(const Centers& centers, bool integer);
    void place_panels(const Centers& centers);

    std::size_t n_features_;
    std::size_t n_panels_;
    std::vector<double> origin_;
    double scale_ = 1;
    std::vector<float> panels_;
    std::vector<float> norms_;
    double row_factor_ = 0;  // E = row_factor |x'| + constant
    double constant_ = 0;
    double square_slack_ = 1;  // |x'|^2 was itself summed in float32
};

}  // namespace kmosaic
