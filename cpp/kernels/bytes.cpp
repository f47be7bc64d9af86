// Screening kernels for uint8 rows on AVX-512 VNNI: 64 products of a row's bytes with centroids' int8 parts an instruction.
#include <immintrin.h>

#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

constexpr std::size_t kRowGroup = 8;
constexpr std::size_t kPanelGroup = 3;

struct Block {
    const std::uint8_t* const* rows;
    std::size_t n_quads;
    const std::int8_t* panels;
    std::size_t n_panels;
    std::int32_t* products;
};

template <std::size_t Panels>
void multiply(const Block& b, std::size_t row, std::size_t panel) {
    __m512i sums[kRowGroup][Panels];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowGroup; ++r)
#pragma GCC unroll 8
        for (std::size_t p = 0; p < Panels; ++p) sums[r][p] = _mm512_setzero_si512();
    const std::int8_t* centroids = b.panels + panel * b.n_quads * 4 * kPanelWidth;
    for (std::size_t q = 0; q < b.n_quads; ++q) {
        __m512i centroid[Panels];
#pragma GCC unroll 8
        for (std::size_t p = 0; p < Panels; ++p)
            centroid[p] = _mm512_loadu_si512(centroids + (p * b.n_quads + q) * 4 * kPanelWidth);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < kRowGroup; ++r) {
            std::int32_t four;
            __builtin_memcpy(&four, b.rows[row + r] + 4 * q, sizeof four);
            const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 8
            for (std::size_t p = 0; p < Panels; ++p)
                sums[r][p] = _mm512_dpbusd_epi32(sums[r][p], x, centroid[p]);
        }
    }
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRowGroup; ++r)
#pragma GCC unroll 8
        for (std::size_t p = 0; p < Panels; ++p)
            _mm512_storeu_si512(b.products + (row + r) * b.n_panels * kPanelWidth + (panel + p) * kPanelWidth,
                                sums[r][p]);
}

void products(const std::uint8_t* const* rows, std::size_t n_rows, std::size_t n_quads,
              const std::int8_t* panels, std::size_t n_panels, std::int32_t* out) {
    const Block block{rows, n_quads, panels, n_panels, out};
    std::size_t panel = 0;
    for (; panel + kPanelGroup <= n_panels; panel += kPanelGroup)
        for (std::size_t r = 0; r < n_rows; r += kRowGroup) multiply<kPanelGroup>(block, r, panel);
    for (; panel < n_panels; ++panel)
        for (std::size_t r = 0; r < n_rows; r += kRowGroup) multiply<1>(block, r, panel);
}

RowSums row_sums(const std::uint8_t* row, std::size_t n) {
    std::int64_t sum = 0;
    std::int64_t squares = 0;
    // Chunks whose sums stay within 32 bits.
    for (std::size_t start = 0; start < n; start += 32768) {
        const std::size_t end = start + 32768 < n ? start + 32768 : n;
        std::int32_t part = 0;
        std::int32_t part_squares = 0;
        for (std::size_t f = start; f < end; ++f) {
            part += row[f];
            part_squares += row[f] * row[f];
        }
        sum += part;
        squares += static_cast<std::uint32_t>(part_squares);
    }
    return {sum, squares};
}

float bounds(const std::int32_t* products, const float* table, const float* roundings, float reach,
             std::size_t n, float* lower) {
    float least[kPanelWidth];
    for (float& value : least) value = __builtin_inff();
    for (std::size_t j = 0; j < n; j += kPanelWidth) {
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const float score = table[j + l] - 2 * static_cast<float>(products[j + l]);
            const float error = reach * roundings[j + l];
            lower[j + l] = score - error;
            const float upper = score + error;
            least[l] = upper < least[l] ? upper : least[l];
        }
    }
    float least_upper = least[0];
    for (const float value : least) least_upper = value < least_upper ? value : least_upper;
    return least_upper;
}

}  // namespace

extern const ByteKernels byte_kernels;
const ByteKernels byte_kernels = {kRowGroup, products, row_sums, bounds};

}  // namespace kmosaic::KMOSAIC_ISA
