// Float32 filter: rules out, by scores in float32, every centroid that cannot be the nearest.
//
// The nearest centroid has the least score |C_j|^2 - 2 X.C_j, with X = (x - o) s and C_j = (c_j - o) s. A
// score computed in float32 is within E = row_factor |X| + constant of the true one, so a centroid whose
// score is above the least by more than 2 E is not the nearest: L3 in docs/developer/proof.md. A row for
// which E is so large that float32 might overflow is not filtered: all centroids stay candidates.
#pragma once

#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

enum class Duplicates { kExcluded, kKept };

class Float32Filter {
  public:
    // Later copies of an equal centroid are excluded, since ties go to the lowest index; they are kept where
    // more than the nearest is wanted.
    Float32Filter(const Centers& centers, Dtype dtype, Duplicates copies = Duplicates::kExcluded);

    [[nodiscard]] std::size_t n_panels() const { return n_panels_; }
    [[nodiscard]] const float* panels() const { return panels_.data(); }
    [[nodiscard]] const float* norms() const { return norms_.data(); }
    [[nodiscard]] const double* origin() const { return origin_.data(); }
    [[nodiscard]] double scale() const { return scale_; }
    // Writes a row's X in float32; returns |X|^2.
    float widen(const Float32Kernels& table, const Rows& rows, std::size_t row, float* out) const {
        return table.widen[rows.dtype](rows.row(row), rows.n_features, origin_.data(), scale_, out);
    }

    // The score that no candidate exceeds, or infinity if the row cannot be filtered.
    [[nodiscard]] float limit(float least_score, float row_square) const;
    // The score that no centroid within this squared distance exceeds, or infinity as above.
    [[nodiscard]] float limit_within(double squared_distance, float row_square) const;

  private:
    void set_scale(const Centers& centers);
    void set_panels(const Centers& centers);

    std::size_t n_features_;
    std::size_t n_panels_;
    std::vector<double> origin_;
    double scale_ = 1;
    std::vector<float> panels_;
    std::vector<float> norms_;
    double row_factor_ = 0;
    double constant_ = 0;
    double square_slack_ = 1;  // covers the float32 rounding of |X|^2
};

}  // namespace kmosaic
