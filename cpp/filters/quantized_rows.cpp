#include "filters/quantized_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kSample = 512;
// The range of a feature leaves out so many of the sample's values on either side, and is widened by a quarter:
// outliers must not make the steps of all others coarse.
constexpr std::size_t kOutliers = 2;
// Values pile up at an end where one in so many lies there.
constexpr std::size_t kPiledUp = 2000;

double value_at(const Rows& rows, std::size_t row, std::size_t feature) {
    const void* data = rows.row(row);
    switch (rows.dtype) {
        case kUint8: return static_cast<const std::uint8_t*>(data)[feature];
        case kUint16: return static_cast<const std::uint16_t*>(data)[feature];
        case kFloat32: return static_cast<const float*>(data)[feature];
        default: return static_cast<const double*>(data)[feature];
    }
}

// NaN has no place in an order.
double finite(double value) {
    return std::isfinite(value) ? value : 0;
}

}  // namespace

QuantizedRows::QuantizedRows(const Rows& rows, const Kernels& table, const Parallel& parallel) : rows_(rows) {
    if (rows.n_rows == 0) return;
    if (rows.dtype == kUint8) {
        copy_tail();
        return;
    }
    choose_scale();
    codes_.resize(rows.n_rows * n_bytes());
    errors_.resize(rows.n_rows);
    parallel_for((rows.n_rows + kBlock - 1) / kBlock, parallel, [&] {
        return [&](std::size_t block) {
            const std::size_t end = std::min((block + 1) * kBlock, rows_.n_rows);
            for (std::size_t i = block * kBlock; i < end; ++i) encode(i, *table.bytes);
        };
    });
}

void QuantizedRows::copy_tail() {
    const std::size_t n_tail = std::min(rows_.n_rows, kByteBlock / rows_.n_features + 1);
    first_in_tail_ = rows_.n_rows - n_tail;
    tail_.assign(n_tail * n_bytes(), 0);
    for (std::size_t i = 0; i < n_tail; ++i)
        std::copy_n(static_cast<const std::uint8_t*>(rows_.row(first_in_tail_ + i)), rows_.n_features,
                    tail_.data() + i * n_bytes());
}

void QuantizedRows::choose_scale() {
    const std::size_t n_sample = std::min(rows_.n_rows, kSample);
    std::vector<double> sample(n_sample * rows_.n_features);  // [feature][row]
    for (std::size_t i = 0; i < n_sample; ++i)
        for (std::size_t f = 0; f < rows_.n_features; ++f)
            sample[f * n_sample + i] = finite(value_at(rows_, i * rows_.n_rows / n_sample, f));
    origin_.resize(rows_.n_features);
    if (!fit_bounded(sample)) fit_unbounded(sample, n_sample);
}

// Values that pile up at both ends of their range, as those of images do, lie within it, and often 255 steps apart: then the
// codes are exact.
bool QuantizedRows::fit_bounded(const std::vector<double>& sample) {
    const auto [least, most] = std::minmax_element(sample.begin(), sample.end());
    const auto n_least = std::count(sample.begin(), sample.end(), *least);
    const auto n_most = std::count(sample.begin(), sample.end(), *most);
    const double range = *most - *least;
    const auto enough = static_cast<std::ptrdiff_t>(sample.size() / kPiledUp);
    if (n_least <= enough || n_most <= enough || !(range > 0) || !std::isfinite(range)) return false;
    scale_ = range / 255;
    std::fill(origin_.begin(), origin_.end(), *least);
    return true;
}

void QuantizedRows::fit_unbounded(std::vector<double>& sample, std::size_t n_sample) {
    const std::size_t n_outliers = n_sample > 8 * kOutliers ? kOutliers : 0;
    double widest = 0;
    for (std::size_t f = 0; f < rows_.n_features; ++f) {
        const auto begin = sample.begin() + static_cast<std::ptrdiff_t>(f * n_sample);
        const auto end = begin + static_cast<std::ptrdiff_t>(n_sample);
        const auto low = begin + static_cast<std::ptrdiff_t>(n_outliers);
        const auto high = end - static_cast<std::ptrdiff_t>(n_outliers + 1);
        std::nth_element(begin, low, end);
        const double least = *low;
        std::nth_element(begin, high, end);
        origin_[f] = least / 2 + *high / 2;
        widest = std::max(widest, *high - least);
    }
    scale_ = widest > 0 && std::isfinite(widest) ? 1.5 * widest / 255 : 1;
    for (double& value : origin_) value -= 127.5 * scale_;
}

void QuantizedRows::encode(std::size_t row, const ByteKernels& table) {
    const double square = table.to_bytes[rows_.dtype](rows_.row(row), rows_.n_features, origin_.data(),
                                                      1 / scale_, codes_.data() + row * n_bytes());
    // 1e-9 covers rounding: of X itself too, whose values are at most some hundred where the code is no outlier.
    errors_[row] = std::nextafter(static_cast<float>(std::sqrt(square) * (1 + 1e-9) + 1e-9),
                                  std::numeric_limits<float>::infinity());
}

// An eighth: see docs/measurements.md.
bool QuantizedRows::useful(const std::vector<float>& norms) const {
    double errors = 0;
    double sizes = 0;
    for (std::size_t i = 0; i < errors_.size(); ++i) {
        errors += std::min(errors_[i], 1e6F);
        sizes += norms[i];
    }
    return errors_.empty() || 8 * errors < sizes;
}

void QuantizedRows::to_code_units(const double* center, double* out) const {
    if (origin_.empty()) {
        std::copy_n(center, rows_.n_features, out);
        return;
    }
    for (std::size_t f = 0; f < rows_.n_features; ++f) out[f] = (center[f] - origin_[f]) / scale_;
}

}  // namespace kmosaic
