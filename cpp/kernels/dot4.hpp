// The step of kernels/bytes.cpp that differs between instruction sets: in each 32-bit lane, the dot product
// of four unsigned and four signed bytes.
//
// kLargestCode bounds the signed bytes such that no step saturates: where pairs of products are added in 16
// bits (maddubs), 2 x 255 x 64 <= 32767 < 2 x 255 x 65.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(KMOSAIC_X86) && KMOSAIC_LANES > 1
#include "kernels/intrinsics.hpp"
#elif defined(KMOSAIC_ARM) && KMOSAIC_LANES > 1
#include <arm_neon.h>
#endif

namespace kmosaic::KMOSAIC_ISA {
namespace {

constexpr std::size_t kLanes = KMOSAIC_LANES;

#if KMOSAIC_LANES == 1
using Ints = std::int32_t;

inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    for (int b = 0; b < 32; b += 8)
        sum += static_cast<std::uint8_t>(bytes >> b) * static_cast<std::int8_t>(codes >> b);
    return sum;
}
constexpr int kLargestCode = 127;
#else
using IntRegister = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
typedef IntRegister Ints __attribute__((may_alias));

#if KMOSAIC_LANES == 16 && defined(__AVX512VNNI__)
constexpr int kLargestCode = 127;
inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    return (Ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)bytes, (__m512i)codes);
}
#elif KMOSAIC_LANES == 16
constexpr int kLargestCode = 64;
inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    const __m512i pairs = _mm512_maddubs_epi16((__m512i)bytes, (__m512i)codes);
    return sum + (Ints)_mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
}
#elif KMOSAIC_LANES == 8 && defined(__AVXVNNI__)
constexpr int kLargestCode = 127;
inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    return (Ints)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)bytes, (__m256i)codes);
}
#elif KMOSAIC_LANES == 8
constexpr int kLargestCode = 64;
inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    const __m256i pairs = _mm256_maddubs_epi16((__m256i)bytes, (__m256i)codes);
    return sum + (Ints)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}
#elif defined(KMOSAIC_ARM)
constexpr int kLargestCode = 127;
#if defined(__ARM_FEATURE_MATMUL_INT8)
inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    return (Ints)vusdotq_s32((int32x4_t)sum, (uint8x16_t)bytes, (int8x16_t)codes);
}
#elif defined(__ARM_FEATURE_DOTPROD)
// x = (x - 128) - (-128); the second product is the same for all rows, and the compiler moves it out of the
// loop.
inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    const int8x16_t q = (int8x16_t)codes;
    const int8x16_t shifted = vreinterpretq_s8_u8(veorq_u8((uint8x16_t)bytes, vdupq_n_u8(128)));
    const int32x4_t offset = vdotq_s32(vdupq_n_s32(0), vdupq_n_s8(-128), q);
    return (Ints)vsubq_s32(vdotq_s32((int32x4_t)sum, shifted, q), offset);
}
#else
inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    const uint8x16_t x = (uint8x16_t)bytes;
    const int8x16_t q = (int8x16_t)codes;
    const int16x8_t x_low = vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(x)));
    const int16x8_t x_high = vreinterpretq_s16_u16(vmovl_u8(vget_high_u8(x)));
    const int16x8_t q_low = vmovl_s8(vget_low_s8(q));
    const int16x8_t q_high = vmovl_s8(vget_high_s8(q));
    const int32x4_t first = vpaddq_s32(vmull_s16(vget_low_s16(x_low), vget_low_s16(q_low)),
                                       vmull_s16(vget_high_s16(x_low), vget_high_s16(q_low)));
    const int32x4_t second = vpaddq_s32(vmull_s16(vget_low_s16(x_high), vget_low_s16(q_high)),
                                        vmull_s16(vget_high_s16(x_high), vget_high_s16(q_high)));
    return sum + (Ints)vpaddq_s32(first, second);
}
#endif
#else  // SSE2
constexpr int kLargestCode = 127;
inline Ints dot4(Ints sum, Ints bytes, Ints codes) {
    const __m128i zero = _mm_setzero_si128();
    const __m128i q = (__m128i)codes;
    const __m128i low = _mm_madd_epi16(_mm_unpacklo_epi8((__m128i)bytes, zero),
                                       _mm_srai_epi16(_mm_unpacklo_epi8(zero, q), 8));
    const __m128i high = _mm_madd_epi16(_mm_unpackhi_epi8((__m128i)bytes, zero),
                                        _mm_srai_epi16(_mm_unpackhi_epi8(zero, q), 8));
    const __m128 even = _mm_shuffle_ps(_mm_castsi128_ps(low), _mm_castsi128_ps(high), 0x88);
    const __m128 odd = _mm_shuffle_ps(_mm_castsi128_ps(low), _mm_castsi128_ps(high), 0xdd);
    return sum + (Ints)_mm_add_epi32(_mm_castps_si128(even), _mm_castps_si128(odd));
}
#endif
#endif

inline Ints load_ints(const void* from) {
    Ints value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

// The four bytes at `from` in every lane.
inline Ints four_bytes(const std::uint8_t* from) {
    std::int32_t four;
    std::memcpy(&four, from, sizeof four);
    return Ints{} + four;
}

}  // namespace
}  // namespace kmosaic::KMOSAIC_ISA
