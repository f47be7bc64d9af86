// 16-bit lanes for kernels/distortion.cpp: the steps that differ between instruction sets. A lane is a pixel,
// its two bytes are the pixel's two gradients.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(KMOSAIC_X86) && KMOSAIC_LANES > 1
#include "kernels/intrinsics.hpp"
#elif defined(KMOSAIC_ARM) && KMOSAIC_LANES > 1
#include <arm_neon.h>
#endif

namespace kmosaic::KMOSAIC_ISA {
namespace {

constexpr std::size_t kUint16s = KMOSAIC_LANES >= 4 ? 2 * KMOSAIC_LANES : 8;

using Uint16s = std::uint16_t __attribute__((vector_size(2 * kUint16s)));
using Bytes = std::int8_t __attribute__((vector_size(2 * kUint16s)));
typedef Uint16s UnalignedUint16s __attribute__((aligned(1), may_alias));
typedef Bytes LooseBytes __attribute__((aligned(1), may_alias));

inline Bytes load(const std::int8_t* p) {
    return *reinterpret_cast<const LooseBytes*>(p);
}
inline Uint16s load(const std::uint16_t* p) {
    return *reinterpret_cast<const UnalignedUint16s*>(p);
}
inline void store(std::uint16_t* p, Uint16s x) {
    *reinterpret_cast<UnalignedUint16s*>(p) = x;
}
inline Uint16s plus(Uint16s a, Uint16s b) {
    return static_cast<Uint16s>(a + b);
}
inline Uint16s least(Uint16s a, Uint16s b) {
#if defined(KMOSAIC_X86) && KMOSAIC_LANES == 4  // SSE2 has a minimum of int16 only
    return (Uint16s)_mm_sub_epi16((__m128i)a, _mm_subs_epu16((__m128i)a, (__m128i)b));
#else
    return a < b ? a : b;
#endif
}

// Pixels that are interleaved together.
constexpr std::size_t kTogether = 16;
using Sixteen = std::int8_t __attribute__((vector_size(kTogether)));

#if defined(KMOSAIC_X86) && KMOSAIC_LANES > 1
inline void interleave(Sixteen a, Sixteen b, std::int8_t* to) {
    auto* both = reinterpret_cast<__m128i*>(to);
    _mm_storeu_si128(both, _mm_unpacklo_epi8((__m128i)a, (__m128i)b));
    _mm_storeu_si128(both + 1, _mm_unpackhi_epi8((__m128i)a, (__m128i)b));
}
#elif defined(KMOSAIC_ARM) && KMOSAIC_LANES > 1
inline void interleave(Sixteen a, Sixteen b, std::int8_t* to) {
    const int8x16x2_t both{{(int8x16_t)a, (int8x16_t)b}};
    vst2q_s8(to, both);  // a macro of Clang's, to which a comma in braces ends an argument
}
#else
inline void interleave(Sixteen a, Sixteen b, std::int8_t* to) {
    for (std::size_t i = 0; i < kTogether; ++i) {
        to[2 * i] = a[i];
        to[2 * i + 1] = b[i];
    }
}
#endif

// squares: the sum of both gradients' squared differences, at most 60 each. next: each lane gets the value of
// the lane after it; the last is undefined.
#if defined(KMOSAIC_X86) && KMOSAIC_LANES == 16
inline Uint16s squares(Bytes a, Bytes b) {
    const __m512i apart = _mm512_abs_epi8((__m512i)(a - b));
    return (Uint16s)_mm512_maddubs_epi16(apart, apart);
}
inline Uint16s next(Uint16s x) {
    const Uint16s after = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                           17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 0};
    return (Uint16s)_mm512_permutexvar_epi16((__m512i)after, (__m512i)x);
}
#elif defined(KMOSAIC_X86) && KMOSAIC_LANES == 8
inline Uint16s squares(Bytes a, Bytes b) {
    const __m256i apart = _mm256_abs_epi8((__m256i)(a - b));
    return (Uint16s)_mm256_maddubs_epi16(apart, apart);
}
inline Uint16s next(Uint16s x) {
    const __m256i high = _mm256_permute2x128_si256((__m256i)x, (__m256i)x, 0x81);
    return (Uint16s)_mm256_alignr_epi8(high, (__m256i)x, 2);
}
#elif defined(KMOSAIC_ARM) && KMOSAIC_LANES > 1
inline Uint16s squares(Bytes a, Bytes b) {
    const uint8x16_t apart = vreinterpretq_u8_s8(vabdq_s8((int8x16_t)a, (int8x16_t)b));
    return (Uint16s)vpaddq_u16(vmull_u8(vget_low_u8(apart), vget_low_u8(apart)), vmull_high_u8(apart, apart));
}
inline Uint16s next(Uint16s x) {
    return (Uint16s)vextq_u16((uint16x8_t)x, (uint16x8_t)x, 1);
}
#else
inline Uint16s squares(Bytes a, Bytes b) {
    using Int16s = std::int16_t __attribute__((vector_size(2 * kUint16s)));
    const Int16s apart = (Int16s)(a - b);
    const Int16s low = (Int16s)((Uint16s)apart << 8) >> 8;
    const Int16s high = apart >> 8;
    return (Uint16s)(low * low + high * high);
}
#if KMOSAIC_LANES > 1  // SSE2
inline Uint16s next(Uint16s x) {
    return (Uint16s)_mm_srli_si128((__m128i)x, 2);
}
#else
inline Uint16s next(Uint16s x) {
    Uint16s after = {};
    for (std::size_t i = 0; i + 1 < kUint16s; ++i) after[i] = x[i + 1];
    return after;
}
#endif
#endif

}  // namespace
}  // namespace kmosaic::KMOSAIC_ISA
