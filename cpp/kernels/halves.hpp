// Real numbers of 16 bits: float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32). Every value of
// either is a float32. The types are in the instruction set's own namespace, as every kernel is; compilers' own
// types of 16 bits are not on every platform, and round where these cannot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(KMOSAIC_X86) && KMOSAIC_LANES >= 8
#include "kernels/intrinsics.hpp"
#elif defined(KMOSAIC_ARM) && KMOSAIC_LANES > 1
#include <arm_neon.h>
#endif

namespace kmosaic::KMOSAIC_ISA {
namespace {

// Without a branch and with integers for subnormal numbers: compilers make loops over vectors of it, and no processor
// takes a slow way, or flushes to 0.
struct Float16 {
    std::uint16_t bits;

    explicit operator float() const {
        const std::uint32_t size = bits & 0x7fffU;
        const std::uint32_t usual = (size << 13) + (0x38000000U << (size >= 0x7c00U ? 1 : 0));
        const float small = static_cast<float>(static_cast<std::int32_t>(size)) * 0x1p-24F;
        const std::uint32_t is_small = size < 0x400U ? ~0U : 0U;
        const std::uint32_t value =
            (usual & ~is_small) | (__builtin_bit_cast(std::uint32_t, small) & is_small);
        return __builtin_bit_cast(float, value | static_cast<std::uint32_t>(bits & 0x8000U) << 16);
    }
    explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

struct Bfloat16 {
    std::uint16_t bits;

    explicit operator float() const {
        return __builtin_bit_cast(float, static_cast<std::uint32_t>(bits) << 16);
    }
    explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }
};

// Values read together.
constexpr std::size_t kHalves = 16;

template <class T>
inline void load_floats(const T* x, float* out) {
    for (std::size_t l = 0; l < kHalves; ++l) out[l] = static_cast<float>(x[l]);
}

#if KMOSAIC_LANES == 16
inline __m512 load_lanes(const Float16* x) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
}
inline __m512 load_lanes(const Bfloat16* x) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
inline void load_floats(const Float16* x, float* out) {
    _mm512_storeu_ps(out, load_lanes(x));
}
#elif KMOSAIC_LANES == 8
inline __m256 load_lanes(const Float16* x) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
}
inline __m256 load_lanes(const Bfloat16* x) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(x)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
inline void load_floats(const Float16* x, float* out) {
    _mm256_storeu_ps(out, load_lanes(x));
    _mm256_storeu_ps(out + 8, load_lanes(x + 8));
}
#elif defined(KMOSAIC_ARM) && KMOSAIC_LANES > 1
inline void load_floats(const Float16* x, float* out) {
    for (std::size_t l = 0; l < kHalves; l += 4) {
        std::uint64_t four;
        std::memcpy(&four, x + l, sizeof four);
        vst1q_f32(out + l, vcvt_f32_f16(vreinterpret_f16_u64(vcreate_u64(four))));
    }
}
#endif

// n values of any type.
template <class T>
inline void to_floats(const T* x, std::size_t n, float* out) {
    std::size_t i = 0;
    if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, Bfloat16>)
        for (; i + kHalves <= n; i += kHalves) load_floats(x + i, out + i);
    for (; i < n; ++i) out[i] = static_cast<float>(x[i]);
}

}  // namespace
}  // namespace kmosaic::KMOSAIC_ISA
