// Certified screening of uint8 rows by integer dot products.
//
// Write c_j = q_j + 128 + e_j with q_j whole numbers in [-128, 127] and e_j what rounding leaves. With s(x) = sum of
// x's values, any anchor a (a centroid, best the one x belonged to) gives the score of centroid j as
//
//   |c_j|^2 - 2 x.c_j = -256 s(x) + (|c_j|^2 - 2 a.e_j) - 2 x.q_j - 2 (x - a).e_j .
//
// The first term is the same for every j and left out. The second is T[a][j], a table. x.q_j is an exact integer, and
// |2 (x - a).e_j| <= 2 r |e_j| for any r >= |x - a| (Cauchy-Schwarz). So t_j = T[a][j] - 2 x.q_j lies within
// 2 r |e_j| + `slack` of the score, slack covering float32: the table's own error, and rounding x.q_j, t_j, the
// product 2 r |e_j| and both ends of the interval. A centroid whose lower end is above the least upper end is ruled out.
//
// r needs no distance: |x - a|^2 = |x|^2 + |a|^2 - 2 (x.q_a + 128 s(x)) - 2 x.e_a, and |x.e_a| <= |x| |e_a|.
// A row that has no label yet takes the mean of the centroids as its anchor, and so does every row where a table
// of all anchors would be too large, or cost more than the rows themselves.
#pragma once

#include <vector>

#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

class ByteScreen {
  public:
    ByteScreen(const Centers& centers, std::size_t n_rows, const Kernels& table, const Parallel& parallel);

    [[nodiscard]] std::size_t n_quads() const { return n_quads_; }
    [[nodiscard]] std::size_t n_panels() const { return n_panels_; }
    // The anchor of a row of this label: the lane of a centroid, or of the mean of all.
    [[nodiscard]] std::size_t anchor(std::int32_t label) const {
        return all_anchors_ && label >= 0 && static_cast<std::size_t>(label) < n_clusters_
                   ? static_cast<std::size_t>(label)
                   : n_clusters_;
    }
    [[nodiscard]] const std::int8_t* panels() const { return panels_.data(); }
    [[nodiscard]] const float* table(std::size_t anchor) const {
        return table_.data() + (all_anchors_ ? anchor : 0) * n_panels_ * kPanelWidth;
    }
    [[nodiscard]] const float* roundings() const { return roundings_.data(); }
    [[nodiscard]] float slack() const { return slack_; }

    // 2 r for a row with these sums whose product with the anchor's q is `product`.
    [[nodiscard]] float reach(const RowSums& sums, std::size_t anchor, std::int32_t product) const;

  private:
    void place(std::size_t lane, const double* center);
    [[nodiscard]] std::size_t n_anchors() const { return all_anchors_ ? n_clusters_ + 1 : 1; }
    void fill_table(const Centers& centers, const Kernels& table, const Parallel& parallel);

    std::size_t n_clusters_;
    std::size_t n_features_;
    bool all_anchors_;
    std::size_t n_quads_;
    std::size_t n_panels_;  // of the centroids and their mean
    std::vector<std::int8_t> panels_;
    std::vector<float> rounding_panels_;  // e_j, as kernels/screen.cpp multiplies
    std::vector<float> anchors_;          // centroids and their mean, or the mean alone, one a row
    std::vector<double> squares_;         // |c_j|^2
    std::vector<float> roundings_;        // >= |e_j|
    std::vector<float> table_;
    float slack_ = 0;
};

}  // namespace kmosaic
