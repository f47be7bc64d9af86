// PCA codes: the part of each row in a subspace of 64 dimensions, in 64 bytes, and the norm of the part
// outside it.
//
// With m whole numbers near the mean row, u = v - m and P a 64 x n_features matrix with |P u| <= |u|:
//
//   P u = beta (z - 128) + eta,                     z the row's code, |eta| <= pca_error(row)
//   |part of u outside the rows of P| <= outside_norm(row) = sqrt(|u|^2 - |P u|^2), rounded up
//
// L9 in docs/developer/proof.md. Any P is correct; the directions in which the rows differ most rule out the
// most centroids. If P does not pay (assign/plan.hpp), there are no PCA codes: the rows' own bytes take their
// place, and outside_norm is |delta|.
#pragma once

#include <cstdint>
#include <vector>

#include "core/aligned.hpp"
#include "core/parallel.hpp"
#include "filters/quantized_rows.hpp"

namespace kmosaic {

constexpr std::size_t kPcaFeatures = 64;
constexpr std::size_t kPcaQuads = kPcaFeatures / 4;

// Bounds of |u| / norm: |u| is stored in float32 (L12).
constexpr double kNormUp = 1 + 0x1p-22;
constexpr double kNormDown = 1 - 0x1p-22;

// P = tau P', P' int8.
struct PcaProjection {
    std::vector<std::int8_t> panels;    // P', [panel][quad][lane][4]
    std::vector<float> float_panels;    // P', [panel][feature][lane]
    std::vector<double> gram;           // P' P'^T, 64 x 64, exactly
    std::vector<std::int32_t> of_mean;  // P' m
    double tau = 0;
    double min_eigenvalue = 0;  // of G = P P^T, a lower bound; the largest is at most 1
    double outside_share = 1;   // of a sample's squares; 1 where there are fewer directions than rows of P'
};

class PcaCodes {
  public:
    // Only the rows' mean and norms.
    PcaCodes(const QuantizedRows& codes, const Kernels& table, const Parallel& parallel);
    // And codes, unless more than `max_outside_share` of the rows' squares is outside P.
    PcaCodes(const QuantizedRows& codes, double max_outside_share, const Kernels& table,
             const Parallel& parallel);

    [[nodiscard]] bool projected() const { return !projection_.panels.empty(); }
    [[nodiscard]] const PcaProjection& projection() const { return projection_; }
    [[nodiscard]] const std::vector<std::uint8_t>& mean() const { return mean_; }
    // The bytes that the coarse codes of centroids are multiplied with; `codes` has this block's.
    [[nodiscard]] const std::uint8_t* row(std::size_t i, RowCodes& codes) const {
        return projected() ? pca_codes_.data() + i * kPcaFeatures : codes[i];
    }
    [[nodiscard]] std::size_t n_quads() const { return projected() ? kPcaQuads : codes_.n_quads(); }
    [[nodiscard]] float norm(std::size_t i) const { return norms_[i]; }  // |u|, within 2^-23 of it
    [[nodiscard]] const std::vector<float>& norms() const { return norms_; }
    [[nodiscard]] float outside_norm(std::size_t i) const {
        return outside_norms_.empty() ? codes_.error(i) : outside_norms_[i];
    }
    [[nodiscard]] double beta() const { return beta_; }
    [[nodiscard]] float pca_error(std::size_t i) const { return projected() ? pca_errors_[i] : 0.0F; }
    [[nodiscard]] const float* errors(std::size_t i) const {
        return projected() ? pca_errors_.data() + i : nullptr;
    }
    [[nodiscard]] float largest_norm() const { return largest_norm_; }

  private:
    void set_mean();
    void measure(const Kernels& table, const Parallel& parallel);
    [[nodiscard]] float best_step(const Kernels& table) const;
    void encode(const Kernels& table, const Parallel& parallel);

    const QuantizedRows& codes_;
    std::vector<std::uint8_t> mean_;  // padded to whole blocks
    PcaProjection projection_;
    double beta_ = 0;
    std::vector<float> norms_;
    std::vector<float> outside_norms_;
    std::vector<float> pca_errors_;
    float largest_norm_ = 0;
    AlignedVector<std::uint8_t> pca_codes_;
};

}  // namespace kmosaic
