// Centroids as int8 codes: intervals that certainly hold a row's score for each of them.
//
// A row is X = v + delta (quantized_rows.hpp), u = v - m (pca_codes.hpp). With w = c - m for a centroid c, the distance is
// |X - c|^2 = |X - m|^2 + s, and the score
//
//   s = |w|^2 - 2 u.w - 2 delta.w,      |delta.w| <= |delta| |w|   (Cauchy-Schwarz)
//
// is least for the nearest centroid. Two ways to bound u.w by integer dot products:
//
// Fine: w = t q + e, q int8. Then u.w = t v.q - t m.q + u.e and |u.e| <= |u| |e|, so
//
//   s = (|w|^2 + 2 t m.q) - 2 t v.q  +-  (2 |u| |e| + 2 |delta| |w|).
//
// Finer, by a second product: e = t' r + f, r int8, and so u.e = t' v.r - t' m.r + u.f narrows that to
//
//   s = (|w|^2 + 2 t m.q + 2 t' m.r) - 2 t v.q - 2 t' v.r  +-  (2 |u| |f| + 2 |delta| |w|).
//
// Coarse, where rows have sketches: let b = g q with q int8, near (2 I - G) P w, and r = w - P^T b. Then
// u.w = (P u).b + u.r. For the first, P u = beta (z - 128) + eta. For the second, u = P^T a + u' with u' outside
// P's rows and |a| <= |u| / sqrt(least eigenvalue of G), so u.r = a.(P r) + u'.r', r' = w' what is outside in w:
//
//   s = (|w|^2 + 2 beta g 128 sum(q)) - 2 beta g z.q
//       +- (2 |u| |P r| / sqrt(lambda) + 2 |u'| |w'| + 2 |eta| |b| + 2 |delta| |w|),
//   P r = P w - G b,      |w'|^2 <= |w|^2 - (P w)^T (2 I - G) (P w).
//
// 2 I - G is nearly G^-1, and never more than that: with G^-1 - 2 I + G = G^-1 (I - G)^2, no eigenvalue is below zero.
// Its own are within 1 and 1.5, as G's are within 0.5 and 1.
//
// The last two terms are bounded for all centroids at once and are part of `coarse_slack`, as is all rounding in float32:
// every term of a score is rounded no more than four times, each to one part in 2^24.
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

// The few centroids that moved farthest, in a panel of their own.
struct FastCenters {
    AlignedVector<std::int8_t> codes;
    float constants[kPanelWidth] = {}, scales[kPanelWidth] = {};
    float norm_errors[kPanelWidth] = {}, outside_errors[kPanelWidth] = {};
    std::uint16_t excluded = 0xFFFF;
    std::int32_t centroids[kPanelWidth] = {};
    std::int32_t group_of_lane[kPanelWidth] = {};
    std::vector<std::uint16_t> bit_of;  // by centroid + 1
    [[nodiscard]] bool any() const { return excluded != 0xFFFF; }
    // The bit of a centroid's lane, none of one that is no mover, or -1.
    [[nodiscard]] unsigned bit(std::int32_t centroid) const {
        return bit_of[static_cast<std::size_t>(centroid + 1)];
    }
};

class QuantizedCenters {
  public:
    QuantizedCenters(const QuantizedRows& codes, const PcaCodes& pca_codes, const Kernels& table,
                     std::size_t n_clusters, std::size_t max_groups);

    // Take in these centroids; returns how far each is from where it was (infinitely where it is new), from above.
    const std::vector<double>& update(const Centers& centers, const Parallel& parallel);
    // Group centroids anew.
    void regroup(const Parallel& parallel);

    // Gather these centroids' codes, at most a panel of them.
    void gather(const std::vector<std::size_t>& centroids, FastCenters& fast_centers) const;
    [[nodiscard]] BytePanel panel(const FastCenters& fast_centers) const;

    [[nodiscard]] const CenterGroups& center_groups() const { return center_groups_; }
    [[nodiscard]] BytePanel panel(std::size_t p) const;
    // Whether an earlier centroid equals this one, which therefore never wins.
    [[nodiscard]] bool is_duplicate(std::size_t centroid) const { return duplicate_[centroid] != 0; }
    // Lanes without a centroid.
    [[nodiscard]] std::uint16_t excluded(std::size_t p) const { return excluded_[p]; }
    // What a coarse score of row i must be lowered by to be certain.
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
    // What a row's bytes are multiplied with, and the score of a centroid for row i given that product.
    [[nodiscard]] const std::int8_t* fine_codes(std::size_t centroid) const {
        return fine_codes_.data() + centroid * codes_.n_bytes();
    }
    [[nodiscard]] Interval score(std::size_t i, std::size_t centroid, std::int32_t product) const;
    // The same for what the first codes leave: that score, with the second product.
    [[nodiscard]] const std::int8_t* residual_codes(std::size_t centroid) const {
        return residual_codes_.data() + centroid * codes_.n_bytes();
    }
    [[nodiscard]] Interval refined_score(std::size_t i, std::size_t centroid, const Interval& score,
                                         std::int32_t residual_product) const;

  private:
    class Updater;
    struct Fine {
        double constant = 0;
        double scale = 0;
        double norm_error = 0;
        double outside_error = 0;
    };

    [[nodiscard]] std::size_t width_of_points() const {
        return pca_codes_.projected() ? kPcaFeatures : codes_.n_features();
    }
    // Without sketches a row's `rest` is its codes' error, of which only float32's rounding is left to cover.
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
    std::vector<double> previous_;  // in code units
    std::vector<double> moved_;
    AlignedVector<std::int8_t> fine_codes_;
    AlignedVector<std::int8_t> residual_codes_;
    std::vector<Fine> fine_;
    std::vector<EncodedCenter> encoded_;
    std::vector<float> points_;  // P' w where rows have sketches, else w
    CenterGroups center_groups_;
    AlignedVector<std::int8_t> panels_;
    std::vector<float> constants_, scales_, norm_errors_, outside_errors_;  // by lane
    std::vector<std::uint16_t> excluded_;
    std::vector<std::uint8_t> duplicate_;  // by centroid: whether an earlier one equals it
    std::vector<double> coarse_sizes_;     // |b| by centroid
    double largest_norm_ = 0;
    double largest_size_ = 0;  // of |b|
    double coarse_slack_ = 0;
};

}  // namespace kmosaic
