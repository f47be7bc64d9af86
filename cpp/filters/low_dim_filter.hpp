// Certified screening in float32 of rows of few features: most rows' nearest centroid, and proof that it is.
//
// The score of centroid j is S_j = |C_j|^2 - 2 X.C_j, X = (x - o) s and C_j = (c_j - o) s, as in float32_filter.hpp. Let x', c'
// be X, C rounded to float32, u = 2^-24, v what bounds their relative rounding per component (u, plus 2u64 where x - o
// is rounded first; integer rows have x' = X), C = max_j |C_j|, and n_j = |C_j|^2 in float32. The kernel adds d products
// of x' and -2c' to n_j, so with g = (d + 1) u / (1 - (d + 1) u) (Higham 2002, sec. 3.1; FMA or not) the computed score
// t_j differs from S_j by at most
//
//   E = g (C^2 + 2 |x'| C)          the sum's rounding
//     + (4v + 2v^2) |X| C           2 x'.c' for 2 X.C
//     + (u + 2 d u64) C^2           n_j for |C_j|^2
//    <= (g + 2u) |x'|^2 + (2g + 3u) C^2          by 2 |x'| C <= |x'|^2 + C^2: a row needs no root
//
// but for second-order terms (kSlack), and a nearest centroid's score is no more than 2E above the least. With
// 2u (|x'|^2 + 2 C^2) for rounding the limit, least + 2E, itself: a row whose second best score is above
//
//   least + (2g + 6u) |x'|^2 + (4g + 10u) C^2
//
// has its best as nearest centroid, for certain. The other rows are left to `decide`, and so are rows and centroids too
// large for float32 to square.
//
// How much farther the others are than the nearest, d_2 - d_1, follows from squared distances d^2 = |X|^2 + S:
//
//   d_2 - d_1 = (d_2^2 - d_1^2) / (d_2 + d_1) >= (d_2^2 - d_1^2) / sqrt(2 (d_1^2 + d_2^2)),
//
// the first from below by taking slack, which is 2E and more, from the difference of scores twice, the second from above
// by adding it four times to t_1 + t_2 + 2 |x'|^2: each once for E, and the rest for the rounding of these sums and of
// |x'|^2, whose terms' magnitudes are those in E. A ten-thousandth covers the quotient's and the root's.
#pragma once

#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

class LowDimFilter {
  public:
    // Later copies of an equal centroid never win: ties go to the lowest index.
    LowDimFilter(const Centers& centers, Dtype dtype);

    [[nodiscard]] const LowDimCenters& centroids() const { return view_; }
    // Whether some centroid equals another: then margins are not of all centroids.
    [[nodiscard]] bool has_duplicates() const { return has_duplicates_; }

  private:
    void place_origin(const Centers& centers, Dtype dtype);
    void place(const Centers& centers);

    std::vector<double> origin_;
    std::vector<float> coefficients_;
    std::vector<float> norms_;
    bool has_duplicates_ = false;
    LowDimCenters view_;
};

}  // namespace kmosaic
