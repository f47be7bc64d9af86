// Exact kernels, compiled once per instruction set and without contraction: vectors change the speed, never a
// bit.
#include <cstring>

#include "kernels/halves.hpp"
#include "kernels/kernels.hpp"
#include "kernels/row_hash.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

template <class T>
void widen(const void* row, std::size_t n, double* out) {
    const T* x = static_cast<const T*>(row);
    for (std::size_t f = 0; f < n; ++f) out[f] = static_cast<double>(x[f]);
}

double squared_distance(const double* a, const double* b, std::size_t n) {
    constexpr std::size_t kSums = 16;
    double sums[kSums] = {};
    std::size_t f = 0;
    for (; f + kSums <= n; f += kSums) {
        for (std::size_t l = 0; l < kSums; ++l) {
            const double difference = a[f + l] - b[f + l];
            sums[l] += difference * difference;
        }
    }
    for (std::size_t l = 0; f < n; ++f, ++l) {
        const double difference = a[f] - b[f];
        sums[l] += difference * difference;
    }
    for (std::size_t width = kSums / 2; width > 0; width /= 2)
        for (std::size_t l = 0; l < width; ++l) sums[l] += sums[l + width];
    return sums[0];
}

constexpr std::size_t kLanes = KMOSAIC_LANES > 1 ? KMOSAIC_LANES / 2 : 1;
constexpr std::size_t kVectors = kExactPanelWidth / kLanes;
constexpr std::size_t kRows = 8 / kVectors > 2 ? 8 / kVectors : 2;

#if KMOSAIC_LANES == 1
using Vector = double;
#else
// Two steps, since Clang ignores `aligned` beside vector_size. Name the typedef wherever memory is meant: GCC
// drops `aligned` from a deduced type (auto, template arguments).
using Register = double __attribute__((vector_size(kLanes * sizeof(double))));
typedef Register Vector __attribute__((aligned(alignof(double)), may_alias));
static_assert(alignof(Vector) == alignof(double), "rows and panels are aligned to their type only");
#endif

template <std::size_t Rows>
void distances_of(const double* rows, std::size_t n_features, const double* panel, double* out) {
    Vector sums[Rows][kVectors] = {};
    for (std::size_t f = 0; f < n_features; ++f) {
#pragma GCC unroll 16
        for (std::size_t r = 0; r < Rows; ++r) {
            const Vector x = Vector{} + rows[r * n_features + f];
#pragma GCC unroll 16
            for (std::size_t v = 0; v < kVectors; ++v) {
                const Vector difference =
                    x - *reinterpret_cast<const Vector*>(panel + f * kExactPanelWidth + v * kLanes);
                sums[r][v] += difference * difference;
            }
        }
    }
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
        for (std::size_t v = 0; v < kVectors; ++v)
            *reinterpret_cast<Vector*>(out + r * kExactPanelWidth + v * kLanes) = sums[r][v];
}

void squared_distances(const double* rows, std::size_t n_rows, std::size_t n_features, const double* panel,
                       double* out) {
    std::size_t r = 0;
    for (; r + kRows <= n_rows; r += kRows)
        distances_of<kRows>(rows + r * n_features, n_features, panel, out + r * kExactPanelWidth);
    for (; r < n_rows; ++r)
        distances_of<1>(rows + r * n_features, n_features, panel, out + r * kExactPanelWidth);
}

template <std::size_t NVectors>
void subtract_products_of(const double* values, const std::int32_t* columns, std::size_t n_values,
                          const double* table, std::size_t width, double* out) {
    Vector sums[NVectors];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < NVectors; ++i) sums[i] = *reinterpret_cast<const Vector*>(out + i * kLanes);
    for (std::size_t v = 0; v < n_values; ++v) {
        const Vector x = Vector{} - 2 * values[v];
        const double* row = table + static_cast<std::size_t>(columns[v]) * width;
#pragma GCC unroll 16
        for (std::size_t i = 0; i < NVectors; ++i)
            sums[i] += x * *reinterpret_cast<const Vector*>(row + i * kLanes);
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < NVectors; ++i) *reinterpret_cast<Vector*>(out + i * kLanes) = sums[i];
}

// Sums stay in registers while the values pass.
void subtract_products(const double* values, const std::int32_t* columns, std::size_t n_values,
                       const double* table, std::size_t width, double* out) {
    constexpr std::size_t kWide = 4 * kExactPanelWidth;
    std::size_t j = 0;
    for (; j + kWide <= width; j += kWide)
        subtract_products_of<4 * kVectors>(values, columns, n_values, table + j, width, out + j);
    for (; j < width; j += kExactPanelWidth)
        subtract_products_of<kVectors>(values, columns, n_values, table + j, width, out + j);
}

// A sum over features, so that several features can be hashed at a time.
template <class T>
std::uint64_t hash(const void* row, std::size_t n) {
    const T* x = static_cast<const T*>(row);
    std::uint64_t sum = 0;
    for (std::size_t f = 0; f < n; ++f) sum += hashed_value(static_cast<double>(x[f]), f);
    return split_mix(sum);
}

}  // namespace

extern const ExactKernels exact_kernels;
const ExactKernels exact_kernels = {
    {widen<std::uint8_t>, widen<std::int8_t>, widen<std::uint16_t>, widen<std::int16_t>, widen<Float16>,
     widen<Bfloat16>, widen<float>, widen<double>},
    squared_distance,
    squared_distances,
    {hash<std::uint8_t>, hash<std::int8_t>, hash<std::uint16_t>, hash<std::int16_t>, hash<Float16>,
     hash<Bfloat16>, hash<float>, hash<double>},
    subtract_products,
};

}  // namespace kmosaic::KMOSAIC_ISA
