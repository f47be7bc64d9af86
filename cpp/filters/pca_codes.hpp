// What is known of each row once and for all: how far it is from a mean, and a sketch of it in 64 bytes.
//
// Let m be whole numbers near the rows' mean, u = v - m (v: the row's bytes), and P a 64 x n_features matrix whose rows
// span the directions in which the rows differ most (found on a sample; any P is certain, a good one rules out more).
// P = tau P' with P' int8, so P u is an exact integer times tau, and tau is such that |P u| <= |u|: the largest
// eigenvalue of G = P P^T is at most 1. Then with `rest` the part of u outside the rows of P,
//
//   |rest|^2 = |u|^2 - (P u)^T G^-1 (P u) <= |u|^2 - |P u|^2.
//
// A row's sketch is z with P u = beta (z - 128) + eta, z bytes, |eta| <= the row's `pca_error`: rounding, and what lies beyond
// z's range.
//
// Without P (where it would not pay: assign/plan.hpp) there are no sketches, and the rows' own bytes take their place; rest
// is then |delta|.
#pragma once

#include <cstdint>
#include <vector>

#include "core/aligned.hpp"
#include "core/parallel.hpp"
#include "filters/quantized_rows.hpp"

namespace kmosaic {

constexpr std::size_t kPcaFeatures = 64;
constexpr std::size_t kPcaQuads = kPcaFeatures / 4;

// P, and what is certain of it.
struct PcaProjection {
    std::vector<std::int8_t> panels;    // P', [panel][quad][lane][4]
    std::vector<float> float_panels;    // P', [panel][feature][lane]
    std::vector<double> gram;           // P' P'^T, 64 x 64
    std::vector<std::int32_t> of_mean;  // P' m
    double tau = 0;
    double min_eigenvalue = 0;  // of tau^2 gram, at least
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
    // What the coarse codes of centroids are multiplied with.
    [[nodiscard]] const std::uint8_t* row(std::size_t i) const {
        return projected() ? pca_codes_.data() + i * kPcaFeatures : codes_[i];
    }
    [[nodiscard]] std::size_t n_quads() const { return projected() ? kPcaQuads : codes_.n_quads(); }
    [[nodiscard]] float norm(std::size_t i) const { return norms_[i]; }  // |u|, within one part in 2^23
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
    void place_mean();
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
