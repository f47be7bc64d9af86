#include "filters/quantized_rows.hpp"

#include <algorithm>
#include <cmath>

#include "core/numerics.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 512;
// Rows of the sample that the scale follows from: fewer of long ones, so that it costs little beside a step.
constexpr std::size_t kSample = 512;
constexpr std::size_t kMinSample = 128;
constexpr std::size_t kSampleValues = std::size_t{1} << 17;
// The range of a feature leaves out this many of the sample's values on either side, and is then widened by a
// quarter on either side: outliers must not make the quantisation of all others coarse.
constexpr std::size_t kOutliers = 2;
// An end of the range is a bound of the values if more than one in this many equals it.
constexpr std::size_t kBoundedShare = 2000;
// The rounding of (x - origin) / scale, of all features together (L8).
constexpr double kCodeRounding = 1e-9;
// The same in float32, of a feature.
constexpr double kHalfRounding = 256 * 4 * kU32;

// NaN has no place in an order.
double finite(double value) {
    return std::isfinite(value) ? value : 0;
}

}  // namespace

QuantizedRows::QuantizedRows(const Rows& rows, const Kernels& table, const Parallel& parallel)
    : rows_(rows), table_(table.bytes) {
    if (rows.n_rows == 0) return;
    if (rows.dtype == kUint8) {
        copy_tail();
        return;
    }
    if (rows.dtype == kInt8) {
        origin_.assign(rows.n_features, INT8_MIN);
        return;
    }
    choose_scale(*table.exact);
    if (!stored()) round_scale();
    codes_.resize(stored() ? rows.n_rows * n_bytes() : 0);
    errors_.resize(rows.n_rows);
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return
            [&, row = AlignedVector<std::uint8_t>(n_bytes())](std::size_t first, std::size_t count) mutable {
                for (std::size_t i = first; i < first + count; ++i)
                    errors_[i] = encode(i, stored() ? codes_.data() + i * n_bytes() : row.data());
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

void QuantizedRows::choose_scale(const ExactKernels& table) {
    const std::size_t wanted = std::clamp(kSampleValues / rows_.n_features, kMinSample, kSample);
    const std::size_t n_sample = std::min(rows_.n_rows, wanted);
    std::vector<double> sample(n_sample * rows_.n_features);  // [feature][row]
    std::vector<double> row(rows_.n_features);
    for (std::size_t i = 0; i < n_sample; ++i) {
        table.widen[rows_.dtype](rows_.row(i * rows_.n_rows / n_sample), row.size(), row.data());
        for (std::size_t f = 0; f < row.size(); ++f) sample[f * n_sample + i] = finite(row[f]);
    }
    origin_.resize(rows_.n_features);
    if (!fit_bounded(sample)) fit_unbounded(sample, n_sample);
}

// Values that often equal both ends of their range, as those of images do, lie within it; if they are
// multiples of a 255th of it, the codes are exact.
bool QuantizedRows::fit_bounded(const std::vector<double>& sample) {
    const auto [least, most] = std::minmax_element(sample.begin(), sample.end());
    const auto n_least = std::count(sample.begin(), sample.end(), *least);
    const auto n_most = std::count(sample.begin(), sample.end(), *most);
    const double range = *most - *least;
    const auto enough = static_cast<std::ptrdiff_t>(sample.size() / kBoundedShare);
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

// To an origin and a scale that float32 has, for 16-bit reals.
void QuantizedRows::round_scale() {
    const auto inverse = static_cast<float>(1 / scale_);
    if (std::isfinite(inverse) && inverse > 0) scale_ = 1 / static_cast<double>(inverse);
    for (double& value : origin_) {
        origin32_.push_back(static_cast<float>(value));
        value = static_cast<double>(origin32_.back());
    }
}

float QuantizedRows::encode(std::size_t row, std::uint8_t* codes) const {
    const std::size_t n = rows_.n_features;
    if (rows_.dtype == kInt8) {
        table_->flip(rows_.row(row), n, codes);
        return 0;
    }
    if (is_half(rows_.dtype)) {
        const double square = table_->halves_to_bytes[rows_.dtype - kFloat16](
            rows_.row(row), n, origin32_.data(), static_cast<float>(1 / scale_), codes);
        const auto d = static_cast<double>(n);
        return above(std::sqrt(square) * (1 + (d / 16 + 24) * kU32) + kHalfRounding * std::sqrt(d));
    }
    const double square = table_->to_bytes[rows_.dtype](rows_.row(row), n, origin_.data(), 1 / scale_, codes);
    return above(std::sqrt(square) * kUp64 + kCodeRounding);
}

double QuantizedRows::error_share(const std::vector<float>& norms) const {
    if (errors_.empty()) return 0;
    double errors = 0;
    double sizes = 0;
    for (std::size_t i = 0; i < errors_.size(); ++i) {
        errors += std::min(errors_[i], 1e6F);
        sizes += norms[i];
    }
    return sizes > 0 ? errors / sizes : 1;
}

void QuantizedRows::to_code_units(const double* center, double* out) const {
    if (origin_.empty()) {
        std::copy_n(center, rows_.n_features, out);
        return;
    }
    for (std::size_t f = 0; f < rows_.n_features; ++f) out[f] = (center[f] - origin_[f]) / scale_;
}

double QuantizedRows::drift(const double* a, const double* b, const ExactKernels& table) const {
    if (origin_.empty()) return std::sqrt(table.squared_distance(a, b, rows_.n_features)) * kUp64;
    constexpr std::size_t kSums = 8;
    double sums[kSums] = {};
    for (std::size_t start = 0; start < rows_.n_features; start += kSums)
        for (std::size_t f = start; f < std::min(start + kSums, rows_.n_features); ++f) {
            const double difference = (a[f] - b[f]) / scale_;
            sums[f - start] += difference * difference;
        }
    double square = 0;
    for (const double sum : sums) square += sum;
    return std::sqrt(square) * kUp64;
}

}  // namespace kmosaic
