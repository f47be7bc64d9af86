#include "filters/pca_codes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "filters/pca_projection.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 96;  // a multiple of the kernels' groups of rows
constexpr std::size_t kMeanSample = 1024;
constexpr std::size_t kPanels = kPcaFeatures / kPanelWidth;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

float above(double value) {
    return std::nextafter(static_cast<float>(value), kInfinity);
}

// Steps that are tried: those that reach the widest of a sample's values, and shorter and shorter ones. What lies beyond their
// reach is part of a row's error, and so is half a step of each value.
constexpr double kMargin = 1.25;
constexpr double kShorter = 0.85;
constexpr int kTries = 12;

}  // namespace

PcaCodes::PcaCodes(const QuantizedRows& codes, const Kernels& table, const Parallel& parallel)
    : codes_(codes) {
    if (codes.n_rows() == 0) return;
    place_mean();
    measure(table, parallel);
}

PcaCodes::PcaCodes(const QuantizedRows& codes, double max_outside_share, const Kernels& table,
                   const Parallel& parallel)
    : PcaCodes(codes, table, parallel) {
    if (codes.n_rows() == 0) return;
    projection_ = make_pca_projection(codes_, mean_, max_outside_share, table, parallel);
    if (projected()) encode(table, parallel);
}

void PcaCodes::place_mean() {
    const std::size_t n = std::min(codes_.n_rows(), kMeanSample);
    std::vector<std::uint32_t> sums(codes_.n_features(), 0);
    for (std::size_t i = 0; i < n; ++i) {
        const std::uint8_t* row = codes_[i * codes_.n_rows() / n];
        for (std::size_t f = 0; f < sums.size(); ++f) sums[f] += row[f];
    }
    mean_.assign(codes_.n_bytes(), 0);
    for (std::size_t f = 0; f < sums.size(); ++f) mean_[f] = static_cast<std::uint8_t>((sums[f] + n / 2) / n);
}

void PcaCodes::measure(const Kernels& table, const Parallel& parallel) {
    norms_.resize(codes_.n_rows());
    parallel_for((codes_.n_rows() + kBlock - 1) / kBlock, parallel, [&] {
        return [&](std::size_t block) {
            const std::size_t end = std::min((block + 1) * kBlock, codes_.n_rows());
            for (std::size_t i = block * kBlock; i < end; ++i)
                norms_[i] = static_cast<float>(std::sqrt(static_cast<double>(
                    table.bytes->squared_distance(codes_[i], mean_.data(), codes_.n_features()))));
        };
    });
    largest_norm_ = *std::max_element(norms_.begin(), norms_.end());
}

// The step that leaves a sample's rows the least error.
float PcaCodes::best_step(const Kernels& table) const {
    std::vector<const std::uint8_t*> sample(std::min<std::size_t>(codes_.n_rows(), 1024));
    for (std::size_t i = 0; i < sample.size(); ++i) sample[i] = codes_[i * codes_.n_rows() / sample.size()];
    std::vector<std::int32_t> products(sample.size() * kPcaFeatures);
    table.bytes->products(sample.data(), sample.size(), codes_.n_quads(), projection_.panels.data(), kPanels,
                          products.data());
    std::int32_t widest = 1;
    for (std::size_t i = 0; i < products.size(); ++i)
        widest = std::max(widest, std::abs(products[i] - projection_.of_mean[i % kPcaFeatures]));
    double least = std::numeric_limits<double>::infinity();
    double step = kMargin * widest / 127;
    double best = step;
    for (int i = 0; i < kTries; ++i, step *= kShorter) {
        double error = 0;
        std::uint8_t codes[kPcaFeatures];
        for (std::size_t r = 0; r < sample.size(); ++r)
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
    parallel_for((codes_.n_rows() + kBlock - 1) / kBlock, parallel, [&] {
        return [&, rows = std::vector<const std::uint8_t*>(kBlock),
                products = std::vector<std::int32_t>(kBlock * kPcaFeatures)](std::size_t block) mutable {
            const std::size_t first = block * kBlock;
            const std::size_t n = std::min(kBlock, codes_.n_rows() - first);
            for (std::size_t i = 0; i < n; ++i) rows[i] = codes_[first + i];
            table.bytes->products(rows.data(), n, codes_.n_quads(), projection_.panels.data(), kPanels,
                                  products.data());
            for (std::size_t i = 0; i < n; ++i) {
                const std::int32_t* product = products.data() + i * kPcaFeatures;
                std::uint8_t* out = pca_codes_.data() + (first + i) * kPcaFeatures;
                const Quantised found =
                    table.bytes->quantise(product, projection_.of_mean.data(), inverse, kPcaFeatures, out);
                // Float32's rounding: of quotients of up to 256 together within 1e-3; of farther ones, and of all squares, within
                // 1e-5 of the error.
                pca_errors_[first + i] =
                    above(beta_ * (std::sqrt(static_cast<double>(found.error_square)) * (1 + 1e-5) + 1e-3));
                const double norm = static_cast<double>(norms_[first + i]);
                const double inside = projection_.tau * projection_.tau * static_cast<double>(found.square);
                // Float32's rounding of 64 squares and of the norm: less than 1e-5 of either.
                const double outside = norm * norm * (1 + 1e-5) - inside * (1 - 1e-5);
                outside_norms_[first + i] = above(std::sqrt(std::max(outside, 0.0)));
            }
        };
    });
}

}  // namespace kmosaic
