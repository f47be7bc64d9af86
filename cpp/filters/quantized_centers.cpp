#include "filters/quantized_centers.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/numerics.hpp"
#include "core/panels.hpp"
#include "exact/duplicate_centers.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kP = kPcaFeatures;
constexpr std::size_t kPcaPanels = kP / kPanelWidth;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Centroids a task works on: several times the kernels' groups of rows.
constexpr std::size_t kBlock = 24;
// Rounding in float64 (L12): of w, as a share of |w| + |m|; of a score, as a share of (|w| + |m| + the
// largest |u|)^2.
constexpr double kCodeRounding = 8 * kU64;
constexpr double kScoreRounding = 1e-12;

double norm_of(const std::vector<std::uint8_t>& values) {
    double square = 0;
    for (const std::uint8_t value : values) square += static_cast<double>(value) * value;
    return std::sqrt(square);
}

}  // namespace

QuantizedCenters::QuantizedCenters(const QuantizedRows& codes, const PcaCodes& pca_codes,
                                   const Kernels& table, std::size_t n_clusters, std::size_t max_groups)
    : codes_(codes),
      pca_codes_(pca_codes),
      table_(table),
      n_clusters_(n_clusters),
      mean_norm_(norm_of(pca_codes.mean())),
      previous_(n_clusters * codes.n_features()),
      moved_(n_clusters, std::numeric_limits<double>::infinity()),
      fine_codes_(n_clusters * codes.n_bytes(), 0),
      residual_codes_(n_clusters * codes.n_bytes(), 0),
      fine_(n_clusters),
      encoded_(n_clusters),
      points_(n_clusters * width_of_points()),
      center_groups_(n_clusters, max_groups),
      panels_(center_groups_.n_lanes() * pca_codes.n_quads() * 4, 0),
      constants_(center_groups_.n_lanes(), kInfinity),
      scales_(center_groups_.n_lanes(), 0.0F),
      norm_errors_(center_groups_.n_lanes(), 0.0F),
      outside_errors_(center_groups_.n_lanes(), 0.0F),
      excluded_(center_groups_.n_panels(), 0xFFFF),
      duplicate_(n_clusters, 0),
      coarse_sizes_(n_clusters, 0.0) {}

// One thread's work on a block of centroids: encodes those that moved and writes them to their lanes, if they
// have any.
class QuantizedCenters::Updater {
  public:
    Updater(QuantizedCenters& all, const Centers& centers, bool grouped)
        : all_(all),
          centers_(centers),
          grouped_(grouped),
          step_(round_up(kBlock, all.table_.float32->row_group)),
          center_(all.codes_.n_features()),
          rows_(all.pca_codes_.projected() ? step_ * center_.size() : 0),
          products_(step_ * kP) {}

    void operator()(std::size_t first, std::size_t count) {
        moved_.clear();
        for (std::size_t j = first; j < first + count; ++j)
            if (encode_moved(j)) moved_.push_back(j);
        if (all_.pca_codes_.projected()) project();
        for (std::size_t i = 0; grouped_ && i < moved_.size(); ++i) all_.set_lane(moved_[i]);
    }

  private:
    // Returns whether the centroid has moved.
    bool encode_moved(std::size_t j) {
        const std::size_t d = center_.size();
        double* before = all_.previous_.data() + j * d;
        if (grouped_ && std::memcmp(before, centers_.row(j), d * sizeof(double)) == 0) {
            all_.moved_[j] = 0;
            return false;
        }
        all_.moved_[j] = grouped_ ? all_.codes_.drift(before, centers_.row(j), *all_.table_.exact)
                                  : std::numeric_limits<double>::infinity();
        std::copy_n(centers_.row(j), d, before);
        all_.codes_.to_code_units(centers_.row(j), center_.data());
        float* offsets = rows_.empty() ? all_.points_.data() + j * d : rows_.data() + moved_.size() * d;
        all_.encode(j, center_.data(), offsets);
        return true;
    }

    // points = P' w
    void project() {
        const std::size_t d = center_.size();
        all_.table_.float32->products(rows_.data(), round_up(moved_.size(), all_.table_.float32->row_group),
                                      d, all_.pca_codes_.projection().float_panels.data(), kPcaPanels,
                                      products_.data());
        for (std::size_t i = 0; i < moved_.size(); ++i)
            std::copy_n(products_.data() + i * kP, kP, all_.points_.data() + moved_[i] * kP);
    }

    QuantizedCenters& all_;
    const Centers& centers_;
    bool grouped_;
    std::size_t step_;
    std::vector<double> center_;
    std::vector<float> rows_;  // w in float32, of those moved, where rows have PCA codes
    std::vector<float> products_;
    std::vector<std::size_t> moved_;
};

const std::vector<double>& QuantizedCenters::update(const Centers& centers, const Parallel& parallel) {
    const bool grouped = center_groups_.centroid_of[0] >= 0;
    parallel_blocks(n_clusters_, kBlock, parallel, [&] { return Updater(*this, centers, grouped); });
    std::fill(duplicate_.begin(), duplicate_.end(), std::uint8_t{0});
    const auto key_of = [&](std::size_t j) { return std::bit_cast<std::uint64_t>(encoded_[j].square); };
    for (const std::size_t copy : duplicate_centers(centers, key_of)) duplicate_[copy] = 1;
    largest_norm_ = 0;
    for (const EncodedCenter& center : encoded_)
        largest_norm_ = std::max(largest_norm_, std::sqrt(center.square));
    largest_norm_ *= kUp64;  // L12
    if (grouped)
        find_slack();
    else
        regroup(parallel);
    return moved_;
}

// offsets = w in float32.
void QuantizedCenters::encode(std::size_t centroid, const double* center, float* offsets) {
    const std::size_t d = codes_.n_features();
    EncodedCenter& encoded = encoded_[centroid];
    table_.bytes->encode(center, pca_codes_.mean().data(), d,
                         fine_codes_.data() + centroid * codes_.n_bytes(),
                         residual_codes_.data() + centroid * codes_.n_bytes(), offsets, &encoded);
    // L10, L12
    const double norm = std::sqrt(encoded.square) * kUp64;
    const double size = norm + mean_norm_ + static_cast<double>(pca_codes_.largest_norm());
    fine_[centroid] = {encoded.square + 2 * encoded.step * encoded.mean_product, 2 * encoded.step,
                       2 * std::sqrt(encoded.error_square) * kUp64,
                       2 * (norm + kCodeRounding * (norm + mean_norm_)), kScoreRounding * size * size};
}

void QuantizedCenters::regroup(const Parallel& parallel) {
    center_groups_.assign_lanes(points_, width_of_points());
    std::fill(constants_.begin(), constants_.end(), kInfinity);
    std::fill(moved_.begin(), moved_.end(), std::numeric_limits<double>::infinity());
    parallel_blocks(n_clusters_, kBlock, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t j = first; j < first + count; ++j) set_lane(j);
        };
    });
    find_slack();
}

// Writes a centroid's codes to its lane.
void QuantizedCenters::set_lane(std::size_t centroid) {
    pca_codes_.projected() ? set_coarse_lane(centroid) : set_fine_lane(centroid);
}

void QuantizedCenters::set_fine_lane(std::size_t centroid) {
    const auto lane = static_cast<std::size_t>(center_groups_.lane_of[centroid]);
    const std::size_t n_quads = codes_.n_quads();
    std::int8_t* panel = panels_.data() + in_panels(lane, 0, n_quads, kPanelWidth) * 4;
    const std::int8_t* codes = fine_codes(centroid);
    for (std::size_t q = 0; q < n_quads; ++q) std::memcpy(panel + q * 4 * kPanelWidth, codes + q * 4, 4);
    const Fine& fine = fine_[centroid];
    constants_[lane] = static_cast<float>(fine.constant);
    scales_[lane] = static_cast<float>(fine.scale);
    norm_errors_[lane] = above(fine.norm_error);
    outside_errors_[lane] = above(fine.outside_error);
}

// out = G values
void QuantizedCenters::gram_times(const double* values, double* out) const {
    const PcaProjection& projection = pca_codes_.projection();
    table_.bytes->combine(projection.gram.data(), values, kP, kP, out);
    for (std::size_t p = 0; p < kP; ++p) out[p] *= projection.tau * projection.tau;
}

void QuantizedCenters::set_coarse_lane(std::size_t centroid) {
    const float* products = points_.data() + centroid * kP;
    const PcaProjection& projection = pca_codes_.projection();
    const auto lane = static_cast<std::size_t>(center_groups_.lane_of[centroid]);
    const EncodedCenter& encoded = encoded_[centroid];
    double inside[kP];  // P w
    for (std::size_t p = 0; p < kP; ++p) inside[p] = projection.tau * static_cast<double>(products[p]);
    double again[kP];  // G P w
    gram_times(inside, again);
    double wanted[kP];  // (2 I - G) P w, nearly G^-1 P w; b is this, quantised
    double largest = 0;
    double square = 0;
    for (std::size_t p = 0; p < kP; ++p) {
        wanted[p] = 2 * inside[p] - again[p];
        largest = std::max(largest, std::fabs(wanted[p]));
        square += inside[p] * wanted[p];
    }
    const double g = largest > 0 ? largest / table_.bytes->largest_code : 1;
    const double inverse = 1 / g;
    double codes[kP];
    double sum = 0;
    double code_square = 0;
    std::int8_t* panel = panels_.data() + in_panels(lane, 0, kP / 4, kPanelWidth) * 4;
    for (std::size_t p = 0; p < kP; ++p) {
        const double code = (wanted[p] * inverse + kRounder) - kRounder;
        codes[p] =
            std::fabs(code) <= 127 ? code : 0;  // what is not a number has no code, and no finite error
        panel[p / 4 * 4 * kPanelWidth + p % 4] = static_cast<std::int8_t>(codes[p]);
        sum += codes[p];
        code_square += codes[p] * codes[p];
    }
    double products_of_codes[kP];
    gram_times(codes, products_of_codes);
    double residual_square = 0;  // |P r|^2
    for (std::size_t p = 0; p < kP; ++p) {
        const double r = inside[p] - g * products_of_codes[p];
        residual_square += r * r;
    }
    // The rounding of P w in float32 (L11): rows of P are no longer than 1.
    const auto d = static_cast<double>(codes_.n_features());
    const double additions = std::min(d, static_cast<double>(kFeatureChunk)) + d / kFeatureChunk + 4;
    const double rounding =
        1.01 * additions * kU32 * std::sqrt(encoded.square) * std::sqrt(static_cast<double>(kP));
    const double inside_norm = std::max(std::sqrt(std::max(square, 0.0)) - 1.5 * rounding, 0.0);
    const double outside = std::sqrt(std::max(encoded.square * kUp64 - inside_norm * inside_norm, 0.0));
    constants_[lane] = static_cast<float>(encoded.square + 2 * pca_codes_.beta() * g * 128 * sum);
    scales_[lane] = static_cast<float>(2 * pca_codes_.beta() * g);
    norm_errors_[lane] =
        above(2 * (std::sqrt(residual_square) + rounding) / std::sqrt(projection.min_eigenvalue));
    outside_errors_[lane] = above(2 * outside);
    coarse_sizes_[centroid] = g * std::sqrt(code_square);
}

void QuantizedCenters::find_slack() {
    for (std::size_t p = 0; p < center_groups_.n_panels(); ++p) {
        unsigned out = 0;
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const std::int32_t j = center_groups_.centroid_of[p * kPanelWidth + l];
            if (j < 0) out |= 1U << l;
        }
        excluded_[p] = static_cast<std::uint16_t>(out);
    }
    const auto n_features = static_cast<double>(4 * pca_codes_.n_quads());
    double largest = 0;  // of the sums of the sizes of a score's terms (L12)
    for (std::size_t l = 0; l < center_groups_.n_lanes(); ++l) {
        if (center_groups_.centroid_of[l] < 0) continue;
        const double product = static_cast<double>(scales_[l]) * 255 * 127 * n_features;
        const double error = 2 * static_cast<double>(pca_codes_.largest_norm()) *
                             static_cast<double>(norm_errors_[l] + outside_errors_[l]);
        largest = std::max(largest, std::fabs(static_cast<double>(constants_[l])) + product + error);
    }
    double rounding = 0;
    for (const Fine& fine : fine_) rounding = std::max(rounding, fine.rounding);
    // L12
    coarse_slack_ = 8 * kU32 * largest + 2 * rounding + 1e-6;
    largest_size_ = *std::max_element(coarse_sizes_.begin(), coarse_sizes_.end());
}

BytePanel QuantizedCenters::panel(std::size_t p) const {
    const std::size_t lane = p * kPanelWidth;
    return {panels_.data() + lane * pca_codes_.n_quads() * 4,
            pca_codes_.n_quads(),
            constants_.data() + lane,
            scales_.data() + lane,
            norm_errors_.data() + lane,
            outside_errors_.data() + lane,
            static_cast<unsigned>(std::min(center_groups_.lanes_per_group, kPanelWidth))};
}

void QuantizedCenters::gather(const std::vector<std::size_t>& centroids, FastCenters& fast_centers) const {
    const std::size_t n_quads = pca_codes_.n_quads();
    fast_centers = {};
    fast_centers.codes.assign(n_quads * 4 * kPanelWidth, 0);
    fast_centers.bit_of.assign(n_clusters_ + 1, 0);
    std::fill_n(fast_centers.constants, kPanelWidth, kInfinity);
    for (std::size_t l = 0; l < centroids.size(); ++l) {
        const std::size_t j = centroids[l];
        const auto lane = static_cast<std::size_t>(center_groups_.lane_of[j]);
        const std::int8_t* from = panels_.data() + in_panels(lane, 0, n_quads, kPanelWidth) * 4;
        for (std::size_t q = 0; q < n_quads; ++q)
            std::memcpy(fast_centers.codes.data() + (q * kPanelWidth + l) * 4, from + q * 4 * kPanelWidth, 4);
        fast_centers.constants[l] = constants_[lane];
        fast_centers.scales[l] = scales_[lane];
        fast_centers.norm_errors[l] = norm_errors_[lane];
        fast_centers.outside_errors[l] = outside_errors_[lane];
        fast_centers.centroids[l] = static_cast<std::int32_t>(j);
        fast_centers.group_of_lane[l] = static_cast<std::int32_t>(center_groups_.group_of_lane(lane));
        fast_centers.bit_of[j + 1] = static_cast<std::uint16_t>(1U << l);
        fast_centers.excluded = static_cast<std::uint16_t>(fast_centers.excluded & ~(1U << l));
    }
}

BytePanel QuantizedCenters::panel(const FastCenters& fast_centers) const {
    return {fast_centers.codes.data(),
            pca_codes_.n_quads(),
            fast_centers.constants,
            fast_centers.scales,
            fast_centers.norm_errors,
            fast_centers.outside_errors,
            1};
}

Interval QuantizedCenters::score(std::size_t i, std::size_t centroid, std::int32_t product) const {
    const Fine& fine = fine_[centroid];
    const double score = fine.constant - fine.scale * product;
    // L10, L12
    const double error = static_cast<double>(pca_codes_.norm(i)) * kNormUp * fine.norm_error +
                         static_cast<double>(codes_.error(i)) * fine.outside_error + fine.rounding;
    return {score - error, score + error};
}

Interval QuantizedCenters::refined_score(std::size_t i, std::size_t centroid, const Interval& score,
                                         std::int32_t residual_product) const {
    const Fine& fine = fine_[centroid];
    const EncodedCenter& encoded = encoded_[centroid];
    const double residual = 2 * encoded.residual_step * (residual_product - encoded.residual_mean_product);
    const double middle = (score.low + score.high) / 2 - residual;
    // L10, L12
    const double error = 2 * static_cast<double>(pca_codes_.norm(i)) * kNormUp *
                             std::sqrt(encoded.residual_error_square) * kUp64 +
                         static_cast<double>(codes_.error(i)) * fine.outside_error + 2 * fine.rounding +
                         kScoreRounding * (std::fabs(score.low) + std::fabs(score.high));
    return {std::max(score.low, middle - error), std::min(score.high, middle + error)};
}

}  // namespace kmosaic
