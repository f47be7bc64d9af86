#include "filters/pca_projection.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/numerics.hpp"
#include "core/panels.hpp"
#include "kernels/split_mix.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kP = kPcaFeatures;
constexpr std::size_t kPanels = kP / kPanelWidth;

// Rows in a part of the sample, and how many parts each iteration goes through: the first iterations need
// only few.
constexpr std::size_t kPart = 512;
constexpr std::size_t kParts[] = {1, 1, 2, 4};
constexpr std::size_t kMaxParts = *std::max_element(std::begin(kParts), std::end(kParts));

// kP vectors, one a row.
using Basis = std::vector<float>;

// out (n x kP) = rows (n x width) times the transpose of the basis (kP x width).
std::vector<float> times(const std::vector<float>& rows, std::size_t width, const Basis& basis,
                         const Kernels& table, const Parallel& parallel) {
    std::vector<float> panels(kP * width);
    for (std::size_t p = 0; p < kP; ++p)
        for (std::size_t f = 0; f < width; ++f)
            panels[in_panels(p, f, width, kPanelWidth)] = basis[p * width + f];
    const std::size_t n = rows.size() / width;
    std::vector<float> out(n * kP);
    const std::size_t step = table.float32->row_group;
    parallel_blocks(n, step, parallel, [&] {
        return [&, padded = std::vector<float>(step * width), part = std::vector<float>(step * kP)](
                   std::size_t first, std::size_t count) mutable {
            std::copy_n(rows.data() + first * width, count * width, padded.data());
            table.float32->products(padded.data(), step, width, panels.data(), kPanels, part.data());
            std::copy_n(part.data(), count * kP, out.data() + first * kP);
        };
    });
    return out;
}

// Columns first to last - 1, transposed in squares, so that whole cache lines are read and written.
std::vector<float> transposed(const std::vector<float>& matrix, std::size_t width, std::size_t first,
                              std::size_t last) {
    constexpr std::size_t kSide = 16;
    const std::size_t n = matrix.size() / width;
    std::vector<float> out(n * (last - first));
    for (std::size_t top = 0; top < n; top += kSide)
        for (std::size_t left = first; left < last; left += kSide)
            for (std::size_t f = left; f < std::min(left + kSide, last); ++f)
                for (std::size_t i = top; i < std::min(top + kSide, n); ++i)
                    out[(f - first) * n + i] = matrix[i * width + f];
    return out;
}

// next (kP x width) += the transpose of inside (n x kP) times the sample (n x width), some columns at a time: a
// transposed copy of the whole sample would take as much memory again.
void add_columns(const std::vector<float>& sample, std::size_t width, const std::vector<float>& inside,
                 Basis& next, const Kernels& table, const Parallel& parallel) {
    constexpr std::size_t kColumns = 512;
    const Basis rows = transposed(inside, kP, 0, kP);
    for (std::size_t first = 0; first < width; first += kColumns) {
        const std::size_t last = std::min(first + kColumns, width);
        const std::vector<float> columns =
            times(transposed(sample, width, first, last), kPart, rows, table, parallel);
        for (std::size_t p = 0; p < kP; ++p)
            for (std::size_t f = first; f < last; ++f) next[p * width + f] += columns[(f - first) * kP + p];
    }
}

double dot(const float* a, const float* b, std::size_t n) {
    constexpr std::size_t kSums = 8;
    float sums[kSums] = {};
    std::size_t f = 0;
    for (; f + kSums <= n; f += kSums)
        for (std::size_t l = 0; l < kSums; ++l) sums[l] += a[f + l] * b[f + l];
    double total = 0;
    for (const float sum : sums) total += static_cast<double>(sum);
    for (; f < n; ++f) total += static_cast<double>(a[f]) * static_cast<double>(b[f]);
    return total;
}

// Modified Gram-Schmidt. A vector that depends on those before it becomes zero.
void orthonormalise(Basis& basis, std::size_t width) {
    for (std::size_t p = 0; p < kP; ++p) {
        float* vector = basis.data() + p * width;
        const double before = dot(vector, vector, width);
        for (std::size_t q = 0; q < p; ++q) {
            const float* other = basis.data() + q * width;
            const auto share = static_cast<float>(dot(vector, other, width));
            for (std::size_t f = 0; f < width; ++f) vector[f] -= share * other[f];
        }
        const double square = dot(vector, vector, width);
        const double scale = square > 1e-8 * before && square > 0 ? 1 / std::sqrt(square) : 0;
        for (std::size_t f = 0; f < width; ++f) vector[f] = static_cast<float>(vector[f] * scale);
    }
}

// Multiplies by a Hadamard matrix, which spreads the variance of the first directions evenly over all, so
// that 8 bits hold each of them equally well.
void spread(Basis& basis, std::size_t width) {
    for (std::size_t half = 1; half < kP; half *= 2)
        for (std::size_t p = 0; p < kP; ++p) {
            if (p & half) continue;
            float* a = basis.data() + p * width;
            float* b = basis.data() + (p + half) * width;
            for (std::size_t f = 0; f < width; ++f) {
                const float sum = a[f] + b[f];
                b[f] = a[f] - b[f];
                a[f] = sum;
            }
        }
}

// Part of a sample spread over all rows, less the mean.
std::vector<float> centred_part(const QuantizedRows& codes, const std::vector<std::uint8_t>& mean,
                                std::size_t part) {
    std::vector<float> sample(kPart * codes.n_features());
    RowCodes single(codes, 1);
    for (std::size_t i = 0; i < kPart; ++i) {
        const std::size_t number = (i * kMaxParts + part) * codes.n_rows() / (kPart * kMaxParts);
        single.start(number);
        const std::uint8_t* row = single[number];
        for (std::size_t f = 0; f < codes.n_features(); ++f)
            sample[i * codes.n_features() + f] = static_cast<float>(row[f] - mean[f]);
    }
    return sample;
}

Basis starting_basis(std::size_t width) {
    Basis basis(kP * width);
    std::uint64_t state = 1;
    for (float& value : basis) value = split_mix(state += kSplitMixStep) >> 63 ? 1.0F : -1.0F;
    return basis;
}

// An upper bound of |lambda| for a symmetric matrix: lambda^8 <= |A^8|_F (L9).
double eigenvalue_bound(std::vector<double> matrix) {
    std::vector<double> square(kP * kP);
    double scale = 1;
    for (int power = 0; power < 3; ++power) {
        std::fill(square.begin(), square.end(), 0.0);
        for (std::size_t i = 0; i < kP; ++i)
            for (std::size_t l = 0; l < kP; ++l)
                for (std::size_t j = 0; j < kP; ++j)
                    square[i * kP + j] += matrix[i * kP + l] * matrix[l * kP + j];
        matrix.swap(square);
        scale *= 2;
    }
    double sum = 0;
    for (const double value : matrix) sum += value * value;
    return std::pow(std::sqrt(sum), 1 / scale) * kUp64 + 1e-12;  // L9
}

// P' = the basis in int8, its Gram matrix, and tau.
PcaProjection quantised(const Basis& basis, std::size_t width, int largest_code) {
    PcaProjection projection;
    const std::size_t n_quads = ceil_div(width, 4);
    const double largest = std::fabs(*std::max_element(
        basis.begin(), basis.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); }));
    if (!(largest > 0)) return projection;
    const double step = largest / largest_code;
    std::vector<std::int16_t> codes(kP * width);
    projection.panels.assign(kPanels * n_quads * kPanelWidth * 4, 0);
    projection.float_panels.assign(kP * width, 0.0F);
    for (std::size_t p = 0; p < kP; ++p)
        for (std::size_t f = 0; f < width; ++f) {
            const double code = std::nearbyint(static_cast<double>(basis[p * width + f]) / step);
            codes[p * width + f] = static_cast<std::int16_t>(code);
            projection.float_panels[in_panels(p, f, width, kPanelWidth)] = static_cast<float>(code);
            projection.panels[in_panels(p, f / 4, n_quads, kPanelWidth) * 4 + f % 4] =
                static_cast<std::int8_t>(code);
        }
    projection.gram.assign(kP * kP, 0.0);
    double trace = 0;
    static_assert(kMaxByteFeatures * 127 * 127 <= std::size_t{INT32_MAX});
    for (std::size_t p = 0; p < kP; ++p) {
        for (std::size_t q = 0; q <= p; ++q) {
            std::int32_t product = 0;
            for (std::size_t f = 0; f < width; ++f) product += codes[p * width + f] * codes[q * width + f];
            projection.gram[p * kP + q] = projection.gram[q * kP + p] = product;
        }
        trace += projection.gram[p * kP + p];
    }
    const double mean = trace / kP;
    std::vector<double> unlike(kP * kP);
    for (std::size_t i = 0; i < kP * kP; ++i)
        unlike[i] = projection.gram[i] / mean - (i % (kP + 1) == 0 ? 1.0 : 0.0);
    const double bound = eigenvalue_bound(unlike);
    projection.tau = 1 / std::sqrt(mean * (1 + bound));
    projection.min_eigenvalue = (1 - bound) / (1 + bound);
    if (projection.min_eigenvalue < 0.5)
        projection.panels.clear();  // the rows lie in fewer than kP directions
    return projection;
}

double share_outside(const std::vector<float>& sample, const std::vector<float>& inside) {
    double all = 0;
    double within = 0;
    for (const float value : sample) all += static_cast<double>(value) * static_cast<double>(value);
    for (const float value : inside) within += static_cast<double>(value) * static_cast<double>(value);
    return all > 0 ? 1 - within / all : 1;
}

}  // namespace

PcaProjection make_pca_projection(const QuantizedRows& codes, const std::vector<std::uint8_t>& mean,
                                  double max_outside_share, const Kernels& table, const Parallel& parallel) {
    const std::size_t width = codes.n_features();
    Basis basis = starting_basis(width);
    for (const std::size_t n_parts : kParts) {
        Basis next(basis.size(), 0.0F);
        for (std::size_t part = 0; part < n_parts; ++part) {
            const std::vector<float> sample = centred_part(codes, mean, part);
            const std::vector<float> inside = times(sample, width, basis, table, parallel);  // n x kP
            add_columns(sample, width, inside, next, table, parallel);
        }
        basis.swap(next);
        orthonormalise(basis, width);
    }
    const std::vector<float> sample = centred_part(codes, mean, 0);
    const double outside = share_outside(sample, times(sample, width, basis, table, parallel));
    PcaProjection projection;
    if (!(outside > max_outside_share)) {
        spread(basis, width);
        projection = quantised(basis, width, table.bytes->largest_code);
    }
    projection.outside_share = projection.panels.empty() && outside <= max_outside_share ? 1 : outside;
    if (projection.panels.empty()) return projection;
    const std::uint8_t* row = mean.data();
    projection.of_mean.assign(kP, 0);
    table.bytes->products(&row, 1, codes.n_quads(), projection.panels.data(), kPanels,
                          projection.of_mean.data());
    return projection;
}

}  // namespace kmosaic
