// Real numbers of 16 bits: float16 (IEEE 754 binary16) and bfloat16 (the upper half of a float32). Every value of
// either is a float32. The types are in the instruction set's own namespace, as every kernel is; compilers' own
// types of 16 bits are not on every platform, and round where these cannot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

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
        const std::uint32_t exponent = size >= 0x7c00U ? 0x70000000U : 0x38000000U;  // 2 x 112, or 112
        const float small = static_cast<float>(static_cast<std::int32_t>(size)) * 0x1p-24F;
        const std::uint32_t value =
            size < 0x400U ? __builtin_bit_cast(std::uint32_t, small) : (size << 13) + exponent;
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
inline void load_floats(const Float16* x, float* out) {
    _mm512_storeu_ps(out, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x))));
}
#elif KMOSAIC_LANES == 8
inline void load_floats(const Float16* x, float* out) {
    const __m128i* halves = reinterpret_cast<const __m128i*>(x);
    _mm256_storeu_ps(out, _mm256_cvtph_ps(_mm_loadu_si128(halves)));
    _mm256_storeu_ps(out + 8, _mm256_cvtph_ps(_mm_loadu_si128(halves + 1)));
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

}  // namespace
}  // namespace kmosaic::KMOSAIC_ISA
