// Quantised centroids: intervals that contain a row's score for each centroid, by integer dot products.
//
// With w = c - m for a centroid c, a row X = v + delta and u = v - m, the score
//
//   s = |X - c|^2 - |X - m|^2 = |w|^2 - 2 u.w - 2 delta.w
//
// is least for the nearest centroid. Three ways to bound it, by the codes q (w = t q + e) and r (e = t' r +
// f) of w and, for rows with PCA codes, the code q of b (P w = G b nearly):
//
//   fine      (|w|^2 + 2 t m.q) - 2 t v.q                       +- (2 |u| |e| + 2 |delta| |w|)
//   refined   the same - 2 t' (v.r - m.r)                       +- (2 |u| |f| + 2 |delta| |w|)
//   coarse    (|w|^2 + 256 beta g sum(q)) - 2 beta g z.q        +- (2 |u| |P r| / sqrt(lambda) + 2 |u'| |w'|
//                                                                   + 2 |eta| |b| + 2 |delta| |w|)
//
// L10 (fine, refined) and L11 (coarse) in docs/developer/proof.md; L12 covers rounding. The last two terms of
// the coarse bound and all rounding in float32 are bounded for all centroids at once, by `coarse_slack`.
#pragma once

#include <cstdint>
#include <vector>

#include "core/aligned.hpp"
#include "filters/center_groups.hpp"
#include "filters/pca_codes.hpp"

namespace kmosaic {

// Rows as codes, and the instruction set that made them.
struct CodedRows {
    const Kernels& table;
    const QuantizedRows& quantized;
    const PcaCodes& pca_codes;
};

struct Interval {
    double low;
    double high;
};

// A centroid that may be nearest, with the interval of its score.
struct Candidate {
    std::int32_t centroid;
    Interval score;
};

// The fastest-moving centroids, in a panel of their own.
struct FastCenters {
    AlignedVector<std::int8_t> codes;
    float constants[kPanelWidth] = {}, scales[kPanelWidth] = {};
    float norm_errors[kPanelWidth] = {}, outside_errors[kPanelWidth] = {};
    std::uint16_t excluded = 0xFFFF;
    std::int32_t centroids[kPanelWidth] = {};
    std::int32_t group_of_lane[kPanelWidth] = {};
    std::vector<std::uint16_t> bit_of;  // by centroid + 1
    [[nodiscard]] bool any() const { return excluded != 0xFFFF; }
    // The bit of a centroid's lane; 0 for other centroids, and for -1.
    [[nodiscard]] unsigned bit(std::int32_t centroid) const {
        return bit_of[static_cast<std::size_t>(centroid + 1)];
    }
};

class QuantizedCenters {
  public:
    QuantizedCenters(const QuantizedRows& codes, const PcaCodes& pca_codes, const Kernels& table,
                     std::size_t n_clusters, std::size_t max_groups);

    // Encodes these centroids. Returns how far each has moved since the last call, from above; infinity at
    // the first.
    const std::vector<double>& update(const Centers& centers, const Parallel& parallel);
    // Groups the centroids anew.
    void regroup(const Parallel& parallel);

    // Gathers the codes of these centroids, at most a panel.
    void gather(const std::vector<std::size_t>& centroids, FastCenters& fast_centers) const;
    [[nodiscard]] BytePanel panel(const FastCenters& fast_centers) const;

    [[nodiscard]] const CenterGroups& center_groups() const { return center_groups_; }
    [[nodiscard]] BytePanel panel(std::size_t p) const;
    // Whether an earlier centroid equals this one, which then is no row's label.
    [[nodiscard]] bool is_duplicate(std::size_t centroid) const { return duplicate_[centroid] != 0; }
    // A bit for each spare lane.
    [[nodiscard]] std::uint16_t excluded(std::size_t p) const { return excluded_[p]; }
    // A coarse score of row i, less this, is a lower bound of the true score (L11, L12).
    [[nodiscard]] double coarse_slack(std::size_t i) const {
        return coarse_slack_ + code_share() * static_cast<double>(codes_.error(i)) +
               pca_share() * static_cast<double>(pca_codes_.pca_error(i));
    }
    // The same of all rows from `first` on.
    [[nodiscard]] CoarseErrors coarse_errors(std::size_t first) const {
        return {coarse_slack_,        code_share(),
                pca_share(),          pca_codes_.norms().data() + first,
                codes_.errors(first), pca_codes_.errors(first)};
    }
    // The fine codes, and the interval of the score of row i given their product with the row's bytes.
    [[nodiscard]] const std::int8_t* fine_codes(std::size_t centroid) const {
        return fine_codes_.data() + centroid * codes_.n_bytes();
    }
    [[nodiscard]] Interval score(std::size_t i, std::size_t centroid, std::int32_t product) const;
    // The codes of the residual e, and the refined interval given their product with the row's bytes.
    [[nodiscard]] const std::int8_t* residual_codes(std::size_t centroid) const {
        return residual_codes_.data() + centroid * codes_.n_bytes();
    }
    [[nodiscard]] Interval refined_score(std::size_t i, std::size_t centroid, const Interval& score,
                                         std::int32_t residual_product) const;

  private:
    class Updater;
    // The numbers of L10 for one centroid.
    struct Fine {
        double constant = 0;
        double scale = 0;
        double norm_error = 0;
        double outside_error = 0;
        double rounding = 0;  // L12
    };

    [[nodiscard]] std::size_t width_of_points() const {
        return pca_codes_.projected() ? kPcaFeatures : codes_.n_features();
    }
    // Without PCA codes outside_norm is |delta|, and only the rounding of 2 |delta| |w| is left to cover
    // (L12).
    [[nodiscard]] double code_share() const { return (pca_codes_.projected() ? 2 : 0x1p-20) * largest_norm_; }
    [[nodiscard]] double pca_share() const { return 2 * largest_size_; }
    void encode(std::size_t centroid, const double* center, float* offsets);
    void set_lane(std::size_t centroid);
    void set_coarse_lane(std::size_t centroid);
    void gram_times(const double* values, double* out) const;
    void set_fine_lane(std::size_t centroid);
    void find_slack();

    const QuantizedRows& codes_;
    const PcaCodes& pca_codes_;
    const Kernels& table_;
    std::size_t n_clusters_;
    double mean_norm_;              // |m|
    std::vector<double> previous_;  // the centroids of the last update
    std::vector<double> moved_;
    AlignedVector<std::int8_t> fine_codes_;
    AlignedVector<std::int8_t> residual_codes_;
    std::vector<Fine> fine_;
    std::vector<EncodedCenter> encoded_;
    std::vector<float> points_;  // P' w where rows have PCA codes, else w
    CenterGroups center_groups_;
    AlignedVector<std::int8_t> panels_;
    std::vector<float> constants_, scales_, norm_errors_, outside_errors_;  // by lane
    std::vector<std::uint16_t> excluded_;
    std::vector<std::uint8_t> duplicate_;  // by centroid: whether an earlier one equals it
    std::vector<double> coarse_sizes_;     // |b| by centroid
    double largest_norm_ = 0;              // of |w|
    double largest_size_ = 0;              // of |b|
    double coarse_slack_ = 0;
};

}  // namespace kmosaic
