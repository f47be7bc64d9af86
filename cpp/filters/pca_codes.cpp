#include "filters/pca_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/numerics.hpp"
#include "filters/pca_projection.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 96;  // a multiple of the kernels' groups of rows
constexpr std::size_t kMeanSample = 1024;
constexpr std::size_t kPanels = kPcaFeatures / kPanelWidth;

// Quantisation steps to try: first one that reaches beyond the largest of a sample's values, then shorter and
// shorter ones. A shorter step rounds values less, but more of them lie beyond its range; both are part of a
// row's error.
constexpr double kMargin = 1.25;
constexpr double kShorter = 0.85;
constexpr int kTries = 12;

// The float32 rounding of the kernel's sums of 64 squares (L9), and of quotients of up to 256.
constexpr double kSumRounding = 1e-5;
constexpr double kQuotientRounding = 1e-3;

}  // namespace

PcaCodes::PcaCodes(const QuantizedRows& codes, const Kernels& table, const Parallel& parallel)
    : codes_(codes) {
    if (codes.n_rows() == 0) return;
    set_mean();
    measure(table, parallel);
}

PcaCodes::PcaCodes(const QuantizedRows& codes, double max_outside_share, const Kernels& table,
                   const Parallel& parallel)
    : PcaCodes(codes, table, parallel) {
    if (codes.n_rows() == 0) return;
    projection_ = make_pca_projection(codes_, mean_, max_outside_share, table, parallel);
    if (projected()) encode(table, parallel);
}

void PcaCodes::set_mean() {
    const std::size_t n = std::min(codes_.n_rows(), kMeanSample);
    std::vector<std::uint32_t> sums(codes_.n_features(), 0);
    RowCodes single(codes_, 1);
    for (std::size_t i = 0; i < n; ++i) {
        single.start(i * codes_.n_rows() / n);
        const std::uint8_t* row = single[i * codes_.n_rows() / n];
        for (std::size_t f = 0; f < sums.size(); ++f) sums[f] += row[f];
    }
    mean_.assign(codes_.n_bytes(), 0);
    for (std::size_t f = 0; f < sums.size(); ++f) mean_[f] = static_cast<std::uint8_t>((sums[f] + n / 2) / n);
}

void PcaCodes::measure(const Kernels& table, const Parallel& parallel) {
    norms_.resize(codes_.n_rows());
    parallel_blocks(codes_.n_rows(), kBlock, parallel, [&] {
        return [&, codes = RowCodes(codes_, kBlock)](std::size_t first, std::size_t count) mutable {
            codes.start(first);
            for (std::size_t i = first; i < first + count; ++i)
                norms_[i] = static_cast<float>(std::sqrt(static_cast<double>(
                    table.bytes->squared_distance(codes[i], mean_.data(), codes_.n_features()))));
        };
    });
    largest_norm_ = *std::max_element(norms_.begin(), norms_.end());
}

// The step that gives a sample's rows the least total error.
float PcaCodes::best_step(const Kernels& table) const {
    const std::size_t n_sample = std::min<std::size_t>(codes_.n_rows(), 1024);
    std::vector<std::int32_t> products(n_sample * kPcaFeatures);
    RowCodes single(codes_, 1);
    for (std::size_t i = 0; i < n_sample; ++i) {
        single.start(i * codes_.n_rows() / n_sample);
        const std::uint8_t* row = single[i * codes_.n_rows() / n_sample];
        table.bytes->products(&row, 1, codes_.n_quads(), projection_.panels.data(), kPanels,
                              products.data() + i * kPcaFeatures);
    }
    std::int32_t widest = 1;
    for (std::size_t i = 0; i < products.size(); ++i)
        widest = std::max(widest, std::abs(products[i] - projection_.of_mean[i % kPcaFeatures]));
    double least = std::numeric_limits<double>::infinity();
    double step = kMargin * widest / 127;
    double best = step;
    for (int i = 0; i < kTries; ++i, step *= kShorter) {
        double error = 0;
        std::uint8_t codes[kPcaFeatures];
        for (std::size_t r = 0; r < n_sample; ++r)
            error += step * std::sqrt(static_cast<double>(
                                table.bytes
                                    ->quantise(products.data() + r * kPcaFeatures, projection_.of_mean.data(),
                                               static_cast<float>(1 / step), kPcaFeatures, codes)
                                    .error_square));
        if (error < least) best = step;
        least = std::min(least, error);
    }
    return static_cast<float>(best);
}

void PcaCodes::encode(const Kernels& table, const Parallel& parallel) {
    outside_norms_.resize(codes_.n_rows());
    pca_errors_.resize(codes_.n_rows());
    pca_codes_.resize(codes_.n_rows() * kPcaFeatures);
    const float inverse = 1 / best_step(table);
    beta_ = projection_.tau / static_cast<double>(inverse);
    parallel_blocks(codes_.n_rows(), kBlock, parallel, [&] {
        return [&, codes = RowCodes(codes_, kBlock), rows = std::vector<const std::uint8_t*>(kBlock),
                products = std::vector<std::int32_t>(kBlock * kPcaFeatures)](std::size_t first,
                                                                             std::size_t n) mutable {
            codes.start(first);
            for (std::size_t i = 0; i < n; ++i) rows[i] = codes[first + i];
            table.bytes->products(rows.data(), n, codes_.n_quads(), projection_.panels.data(), kPanels,
                                  products.data());
            for (std::size_t i = 0; i < n; ++i) {
                const std::int32_t* product = products.data() + i * kPcaFeatures;
                std::uint8_t* out = pca_codes_.data() + (first + i) * kPcaFeatures;
                const Quantised quantised =
                    table.bytes->quantise(product, projection_.of_mean.data(), inverse, kPcaFeatures, out);
                const double error = std::sqrt(static_cast<double>(quantised.error_square));
                pca_errors_[first + i] = above(beta_ * (error * (1 + kSumRounding) + kQuotientRounding));
                const double norm = static_cast<double>(norms_[first + i]);
                const double inside =
                    projection_.tau * projection_.tau * static_cast<double>(quantised.square);
                const double outside = norm * norm * (1 + kSumRounding) - inside * (1 - kSumRounding);
                outside_norms_[first + i] = above(std::sqrt(std::max(outside, 0.0)));
            }
        };
    });
}

}  // namespace kmosaic
