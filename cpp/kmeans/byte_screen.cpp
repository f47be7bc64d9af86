#include "kmeans/byte_screen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kmeans/byte_rows.hpp"
#include "kmeans/copies.hpp"

namespace kmosaic {

namespace {

constexpr double kU32 = 0x1p-24;

// The table has 4 MB at most, and its n_clusters^2 products are no more than a quarter of the rows'.
constexpr std::size_t kMostAnchors = 1024;
constexpr std::size_t kRowsAnAnchor = 4;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float above(double value) {
    return std::nextafter(static_cast<float>(value), kInfinity);
}

std::size_t round_up(std::size_t n, std::size_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

}  // namespace

ByteScreen::ByteScreen(const Centers& centers, std::size_t n_rows, const Kernels& table,
                       const Parallel& parallel)
    : n_clusters_(centers.n_clusters),
      n_features_(centers.n_features),
      all_anchors_(n_clusters_ <= kMostAnchors && n_clusters_ * kRowsAnAnchor <= n_rows),
      n_quads_(quads(centers.n_features)),
      n_panels_(centers.n_clusters / kPanelWidth + 1),
      panels_(n_panels_ * kPanelWidth * n_quads_ * 4, 0),
      rounding_panels_(n_panels_ * kPanelWidth * n_features_, 0.0F),
      anchors_(round_up(n_anchors(), table.screen->row_group) * n_features_, 0.0F),
      squares_(n_clusters_ + 1, 0.0),
      roundings_(n_panels_ * kPanelWidth, 0.0F),
      table_(round_up(n_anchors(), table.screen->row_group) * n_panels_ * kPanelWidth, 0.0F) {
    std::vector<double> mean(n_features_, 0.0);
    for (std::size_t j = 0; j < n_clusters_; ++j) {
        place(j, centers.row(j));
        for (std::size_t f = 0; f < n_features_; ++f)
            mean[f] += centers.row(j)[f] / static_cast<double>(n_clusters_);
    }
    place(n_clusters_, mean.data());
    fill_table(centers, table, parallel);
}

void ByteScreen::place(std::size_t lane, const double* center) {
    float* errors =
        rounding_panels_.data() + lane / kPanelWidth * n_features_ * kPanelWidth + lane % kPanelWidth;
    float* anchor = anchors_.data() + (all_anchors_ ? lane : 0) * n_features_;
    double square = 0;
    double rounding = 0;
    for (std::size_t f = 0; f < n_features_; ++f) {
        const double q = std::clamp(std::rint(center[f] - 128), -128.0, 127.0);
        const double e = center[f] - (q + 128);
        place_bytes(panels_.data(), n_features_, lane, f, q);
        errors[f * kPanelWidth] = static_cast<float>(e);
        if (all_anchors_ || lane == n_clusters_) anchor[f] = static_cast<float>(center[f]);
        square += center[f] * center[f];
        rounding += e * e;
    }
    squares_[lane] = square;
    roundings_[lane] = above(std::sqrt(rounding) * (1 + 1e-9));
}

void ByteScreen::fill_table(const Centers& centers, const Kernels& table, const Parallel& parallel) {
    const std::size_t group = table.screen->row_group;
    const std::size_t stride = n_panels_ * kPanelWidth;
    std::vector<float> squares(stride, kInfinity);
    for (std::size_t j = 0; j < n_clusters_; ++j) squares[j] = static_cast<float>(squares_[j]);
    for (const std::size_t copy : later_copies(centers)) squares[copy] = kInfinity;
    parallel_for((n_anchors() + group - 1) / group, parallel, [&] {
        return [&](std::size_t block) {
            float* rows = table_.data() + block * group * stride;
            table.screen->products(anchors_.data() + block * group * n_features_, group, n_features_,
                                   rounding_panels_.data(), n_panels_, rows);
            for (std::size_t i = 0; i < group; ++i)
                table.screen->scores(rows + i * stride, squares.data(), stride);
        };
    });
    // Centroids too large for float32 to square leave every row unscreened.
    const double largest_square = *std::max_element(squares_.begin(), squares_.end());
    const double largest = std::sqrt(largest_square);
    const double largest_rounding = *std::max_element(roundings_.begin(), roundings_.end());
    const auto d = static_cast<double>(n_features_);
    const double additions = std::min(d, static_cast<double>(kFeatureChunk)) + d / kFeatureChunk + 3;
    const double table_error =
        2 * (additions + 4) * kU32 * largest * largest_rounding + 4 * kU32 * (largest_square + 1);
    const double most_product = 255.0 * 128.0 * d;
    const double most_reach = 2 * (255 * std::sqrt(d) + largest) * largest_rounding;
    slack_ =
        largest_square > 1e30
            ? kInfinity
            : above(1.01 * (table_error + 4 * kU32 * (largest_square + 4 * most_product + 2 * most_reach)));
}

float ByteScreen::reach(const RowSums& sums, std::size_t anchor, std::int32_t product) const {
    const auto square = static_cast<double>(sums.squares);
    const double inner = product + 128.0 * static_cast<double>(sums.values);
    const double uncertain = 2 * std::sqrt(square) * static_cast<double>(roundings_[anchor]);
    const double distance = square + squares_[anchor] - 2 * inner + uncertain;
    // 1e-9 of the largest term covers float64's own rounding.
    return above(2 * std::sqrt(std::max(distance, 0.0) + 1e-9 * (square + squares_[anchor] + 1)));
}

}  // namespace kmosaic
