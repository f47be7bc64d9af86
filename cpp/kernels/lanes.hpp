// A register of float32 lanes: the operations for which GCC's vectors generate poor code (least, greatest,
// choosing by a comparison), for each instruction set. The types are in the instruction set's own namespace,
// as every kernel is.
#pragma once

#include <cstddef>
#include <cstdint>

#if KMOSAIC_LANES >= 4 && defined(KMOSAIC_X86)
#include <immintrin.h>
#elif KMOSAIC_LANES >= 4
#include <arm_neon.h>
#endif

namespace kmosaic::KMOSAIC_ISA {

constexpr std::size_t kLanes = KMOSAIC_LANES;

#if KMOSAIC_LANES == 1

using Lanes = float;
using IntLanes = std::int32_t;
using Mask = bool;

inline Lanes load(const float* p) {
    return *p;
}
inline void store(std::int32_t* p, IntLanes x) {
    *p = x;
}
inline void store(float* p, Lanes x) {
    *p = x;
}
inline Lanes splat(float x) {
    return x;
}
inline IntLanes splat(std::int32_t x) {
    return x;
}
inline Mask below(Lanes a, Lanes b) {
    return a < b;
}
inline Mask both(Mask a, Mask b) {
    return a && b;
}
inline bool all(Mask mask) {
    return mask;
}
inline IntLanes choose(Mask mask, IntLanes yes, IntLanes no) {
    return mask ? yes : no;
}
inline Lanes least(Lanes a, Lanes b) {
    return a < b ? a : b;
}
inline Lanes greatest(Lanes a, Lanes b) {
    return a > b ? a : b;
}
inline Lanes root(Lanes a) {
    return __builtin_sqrtf(a);
}
inline Lanes only(Mask mask, Lanes x) {
    return mask ? x : 0.0F;
}

#else

// Two steps, since Clang ignores `aligned` beside vector_size.
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float))));
using IntLanes = std::int32_t __attribute__((vector_size(kLanes * sizeof(std::int32_t))));
typedef Lanes LooseLanes __attribute__((aligned(alignof(float)), may_alias));
typedef IntLanes LooseIntLanes __attribute__((aligned(alignof(std::int32_t)), may_alias));

inline Lanes load(const float* p) {
    return *reinterpret_cast<const LooseLanes*>(p);
}
inline void store(std::int32_t* p, IntLanes x) {
    *reinterpret_cast<LooseIntLanes*>(p) = x;
}
inline void store(float* p, Lanes x) {
    *reinterpret_cast<LooseLanes*>(p) = x;
}
inline Lanes splat(float x) {
    return Lanes{} + x;
}
inline IntLanes splat(std::int32_t x) {
    return IntLanes{} + x;
}

#if KMOSAIC_LANES == 16  // AVX-512

using Mask = __mmask16;
inline Mask below(Lanes a, Lanes b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}
inline Mask both(Mask a, Mask b) {
    return static_cast<Mask>(a & b);
}
inline bool all(Mask mask) {
    return mask == 0xffff;
}
inline IntLanes choose(Mask mask, IntLanes yes, IntLanes no) {
    return reinterpret_cast<IntLanes>(
        _mm512_mask_mov_epi32(reinterpret_cast<__m512i>(no), mask, reinterpret_cast<__m512i>(yes)));
}
// All lanes, by a full mask: GCC 12 warns of the plain forms' undefined operand.
inline Lanes least(Lanes a, Lanes b) {
    return _mm512_mask_min_ps(a, 0xffff, a, b);
}
inline Lanes greatest(Lanes a, Lanes b) {
    return _mm512_mask_max_ps(a, 0xffff, a, b);
}
inline Lanes root(Lanes a) {
    return _mm512_mask_sqrt_ps(a, 0xffff, a);
}
inline Lanes only(Mask mask, Lanes x) {
    return _mm512_maskz_mov_ps(mask, x);
}

#else

using Mask = IntLanes;
inline Mask below(Lanes a, Lanes b) {
    return a < b;
}
inline Mask both(Mask a, Mask b) {
    return a & b;
}
// x where the mask is set, else 0.
inline Lanes only(Mask mask, Lanes x) {
    return reinterpret_cast<Lanes>(mask & reinterpret_cast<IntLanes>(x));
}

#if KMOSAIC_LANES == 8

inline bool all(Mask mask) {
    return _mm256_movemask_ps(reinterpret_cast<__m256>(mask)) == 0xff;
}
inline IntLanes choose(Mask mask, IntLanes yes, IntLanes no) {
    return reinterpret_cast<IntLanes>(_mm256_blendv_ps(
        reinterpret_cast<__m256>(no), reinterpret_cast<__m256>(yes), reinterpret_cast<__m256>(mask)));
}
inline Lanes least(Lanes a, Lanes b) {
    return _mm256_min_ps(a, b);
}
inline Lanes greatest(Lanes a, Lanes b) {
    return _mm256_max_ps(a, b);
}
inline Lanes root(Lanes a) {
    return _mm256_sqrt_ps(a);
}

#else

inline IntLanes choose(Mask mask, IntLanes yes, IntLanes no) {
    return (mask & yes) | (~mask & no);
}

#ifdef KMOSAIC_X86
inline bool all(Mask mask) {
    return _mm_movemask_ps(reinterpret_cast<__m128>(mask)) == 0xf;
}
inline Lanes least(Lanes a, Lanes b) {
    return _mm_min_ps(a, b);
}
inline Lanes greatest(Lanes a, Lanes b) {
    return _mm_max_ps(a, b);
}
inline Lanes root(Lanes a) {
    return _mm_sqrt_ps(a);
}
#else  // NEON: compilers know its select by the pattern of `choose`
inline bool all(Mask mask) {
    return (mask[0] & mask[1] & mask[2] & mask[3]) != 0;
}
inline Lanes least(Lanes a, Lanes b) {
    return reinterpret_cast<Lanes>(
        choose(below(a, b), reinterpret_cast<IntLanes>(a), reinterpret_cast<IntLanes>(b)));
}
inline Lanes greatest(Lanes a, Lanes b) {
    return reinterpret_cast<Lanes>(
        choose(below(b, a), reinterpret_cast<IntLanes>(a), reinterpret_cast<IntLanes>(b)));
}
inline Lanes root(Lanes a) {
    return reinterpret_cast<Lanes>(vsqrtq_f32(reinterpret_cast<float32x4_t>(a)));
}
#endif

#endif
#endif
#endif

}  // namespace kmosaic::KMOSAIC_ISA
