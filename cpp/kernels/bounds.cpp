// Kernels on the bounds that rows carry from step to step, compiled once per instruction set. The factors of
// 1 +- 2^-20 of assign/row_bounds.hpp cover their rounding (L14), or factors in place.
#include "kernels/kernels.hpp"

#if KMOSAIC_LANES == 16
#include "kernels/intrinsics.hpp"
#endif

namespace kmosaic::KMOSAIC_ISA {
namespace {

void follow(const UpperBounds& bounds, const float* center_drift, float more, std::size_t n_rows,
            float* now) {
    for (std::size_t r = 0; r < n_rows; ++r) {
        const std::int32_t label = bounds.labels[r];
        const bool known = label >= 0 && label == bounds.labels_before[r];
        // Rounded up (L14): drifts below the sum's last bit add up over many steps.
        const float upper_slack =
            known ? (bounds.upper_slack[r] + center_drift[known ? label : 0]) * (1 + 0x1p-22F)
                  : bounds.upper_slack[r];
        bounds.upper_slack[r] = upper_slack;
        now[r] = known ? (bounds.upper[r] + upper_slack) * more : -1;
    }
}

#if KMOSAIC_LANES == 16
using Floats = __m512;

inline Floats now(__m256i bounds, Floats unit, Floats group_drift) {
    return _mm512_fmsub_ps(_mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(bounds)), unit, group_drift);
}

inline __mmask16 group_mask(const GroupBounds& groups) {
    return static_cast<__mmask16>((1U << groups.n_groups) - 1);
}

void failed_groups(const GroupBounds& groups, const float* uppers, std::size_t n_rows,
                   std::uint16_t* failed) {
    const Floats unit = _mm512_set1_ps(groups.unit);
    const __mmask16 in = group_mask(groups);
    const Floats group_drift = _mm512_maskz_loadu_ps(in, groups.group_drift);
    std::size_t r = 0;
    if (groups.n_groups == 8) {  // two rows at a time
        const Floats twice = _mm512_shuffle_f32x4(group_drift, group_drift, 0x44);
        for (; r + 2 <= n_rows; r += 2) {
            const __m256i bounds =
                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(groups.bounds + r * 8));
            const Floats upper = _mm512_mask_mov_ps(_mm512_set1_ps(uppers[r]), static_cast<__mmask16>(0xFF00),
                                                    _mm512_set1_ps(uppers[r + 1]));
            const unsigned both = _mm512_cmp_ps_mask(now(bounds, unit, twice), upper, _CMP_NGT_UQ);
            failed[r] = both & 0xFF;
            failed[r + 1] = static_cast<std::uint16_t>(both >> 8);
        }
    }
    for (; r < n_rows; ++r) {
        const __m256i bounds = _mm256_maskz_loadu_epi16(in, groups.bounds + r * groups.n_groups);
        failed[r] = _mm512_mask_cmp_ps_mask(in, now(bounds, unit, group_drift), _mm512_set1_ps(uppers[r]),
                                            _CMP_NGT_UQ);
    }
}

void below(const float* scores, const float* squares, const GroupBounds& groups,
           const std::int32_t* group_of_lane, std::size_t n_rows, std::uint16_t* below) {
    const Floats unit = _mm512_set1_ps(groups.unit);
    const __mmask16 in = group_mask(groups);
    const Floats group_drift = _mm512_maskz_loadu_ps(in, groups.group_drift);
    const __m512i group = _mm512_loadu_si512(group_of_lane);
    for (std::size_t r = 0; r < n_rows; ++r) {
        const __m256i bounds = _mm256_maskz_loadu_epi16(in, groups.bounds + r * groups.n_groups);
        const Floats bound = _mm512_permutexvar_ps(group, now(bounds, unit, group_drift));
        const Floats square =
            _mm512_add_ps(_mm512_loadu_ps(scores + r * kPanelWidth), _mm512_set1_ps(squares[r]));
        const __mmask16 positive = _mm512_cmp_ps_mask(bound, _mm512_setzero_ps(), _CMP_GT_OQ);
        below[r] = _mm512_mask_cmp_ps_mask(positive, square, _mm512_mul_ps(bound, bound), _CMP_NGE_UQ);
    }
}
#else
inline float now(const GroupBounds& groups, std::size_t row, std::size_t g) {
    return static_cast<float>(groups.bounds[row * groups.n_groups + g]) * groups.unit - groups.group_drift[g];
}

void failed_groups(const GroupBounds& groups, const float* uppers, std::size_t n_rows,
                   std::uint16_t* failed) {
    for (std::size_t r = 0; r < n_rows; ++r) {
        unsigned bits = 0;
        for (std::size_t g = 0; g < groups.n_groups; ++g)
            bits |= static_cast<unsigned>(!(now(groups, r, g) > uppers[r])) << g;
        failed[r] = static_cast<std::uint16_t>(bits);
    }
}

void below(const float* scores, const float* squares, const GroupBounds& groups,
           const std::int32_t* group_of_lane, std::size_t n_rows, std::uint16_t* below) {
    for (std::size_t r = 0; r < n_rows; ++r) {
        unsigned lanes = 0;
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const float bound = now(groups, r, static_cast<std::size_t>(group_of_lane[l]));
            const float square = scores[r * kPanelWidth + l] + squares[r];
            lanes |= static_cast<unsigned>(bound > 0 && !(square >= bound * bound)) << l;
        }
        below[r] = static_cast<std::uint16_t>(lanes);
    }
}
#endif

void failed_neighbours(const Neighbour* lists, const float* center_drift_totals, const float* uppers,
                       std::size_t n_rows, std::uint16_t* failed) {
    std::size_t r = 0;
#if KMOSAIC_LANES == 16
    static_assert(kNeighbours == 2 && sizeof(Neighbour) == 8);
    const __m512i pairs = _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0);
    const __m512i first = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(1));
    for (; r + 8 <= n_rows; r += 8) {
        const __m512i low = _mm512_loadu_si512(lists + 2 * r), high = _mm512_loadu_si512(lists + 2 * r + 8);
        const __m512i centroids = _mm512_permutex2var_epi32(low, first, high);
        const Floats bounds = _mm512_castsi512_ps(_mm512_permutex2var_epi32(low, second, high));
        const __mmask16 in = _mm512_cmpge_epi32_mask(centroids, _mm512_setzero_si512());
        const Floats drift =
            _mm512_mask_i32gather_ps(_mm512_setzero_ps(), in, centroids, center_drift_totals, 4);
        const Floats upper =
            _mm512_permutexvar_ps(pairs, _mm512_castps256_ps512(_mm256_loadu_ps(uppers + r)));
        const unsigned bits = _mm512_mask_cmp_ps_mask(in, _mm512_sub_ps(bounds, drift), upper, _CMP_NGT_UQ);
        for (std::size_t i = 0; i < 8; ++i) failed[r + i] = static_cast<std::uint16_t>(bits >> 2 * i & 3U);
    }
#endif
    for (; r < n_rows; ++r) {
        const Neighbour* list = lists + r * kNeighbours;
        unsigned bits = 0;
        for (std::size_t b = 0; b < kNeighbours && list[b].centroid >= 0; ++b)
            bits |=
                static_cast<unsigned>(!(list[b].bound - center_drift_totals[list[b].centroid] > uppers[r]))
                << b;
        failed[r] = static_cast<std::uint16_t>(bits);
    }
}

// Shares of the sum of all terms' sizes cover the rounding in float32 (L12, L13).
void coarse_limits(const CoarseErrors& errors, const float* uppers, std::size_t n_rows, float* limits,
                   float* squares) {
    const auto constant = static_cast<float>(errors.constant);
    const auto code_share = static_cast<float>(errors.code_share);
    const auto pca_share = static_cast<float>(errors.pca_share);
    for (std::size_t r = 0; r < n_rows; ++r) {
        const float code_error = errors.codes ? errors.codes[r] : 0;
        const float norm = errors.norms[r] * (1 - 0x1p-21F) - code_error;
        const float square = norm > 0 ? norm * norm : 0;
        const float upper_square = uppers[r] * uppers[r];
        const float slack =
            constant + code_share * code_error + (errors.pca_codes ? pca_share * errors.pca_codes[r] : 0);
        limits[r] = (upper_square - square + slack) + 0x1p-20F * (upper_square + square + slack);
        squares[r] = (square - slack) - 0x1p-20F * (square + slack);
    }
}

}  // namespace

extern const BoundKernels bound_kernels;
const BoundKernels bound_kernels = {follow, failed_groups, failed_neighbours, coarse_limits, below};

}  // namespace kmosaic::KMOSAIC_ISA
