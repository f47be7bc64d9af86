// Rows as bytes (L8): see filters/quantized_rows.hpp. A part of bytes.cpp.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/halves.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

constexpr std::size_t kSums = kPanelWidth;

template <class T>
double to_bytes(const void* row, std::size_t n, const double* origin, double inverse, std::uint8_t* codes) {
    const T* x = static_cast<const T*>(row);
    double squares[kSums] = {};
    const auto code_of = [&](std::size_t f, std::size_t l) {
        const double value = (static_cast<double>(x[f]) - origin[f]) * inverse;
        const double most = value < 255 ? value : 255.0;
        const double inside = value > 0 ? most : 0.0;  // 0 for NaN, whose error is NaN
        const auto code = static_cast<std::int32_t>(inside + 0.5);
        const double error = value - code;
        squares[l] += error * error;
        return static_cast<std::uint8_t>(code);
    };
    std::size_t start = 0;
    for (; start + kSums <= n; start += kSums) {
        std::uint8_t chunk[kSums];  // since `codes`, of bytes, may alias anything
        for (std::size_t l = 0; l < kSums; ++l) chunk[l] = code_of(start + l, l);
        std::memcpy(codes + start, chunk, kSums);
    }
    for (std::size_t l = 0; start + l < n; ++l) codes[start + l] = code_of(start + l, l);
    double square = 0;
    for (const double part : squares) square += part;
    return square;
}

void flip(const void* row, std::size_t n, std::uint8_t* codes) {
    const auto* x = static_cast<const std::uint8_t*>(row);
    for (std::size_t f = 0; f < n; ++f) codes[f] = x[f] ^ 0x80U;
}

// Sixteen values as codes; adds the squares of their errors, interleaved.
#if KMOSAIC_LANES == 16
using HalfSums = __m512;

template <class T>
inline void code_halves(const T* x, const float* origin, float inverse, std::uint8_t* codes,
                        HalfSums& squares) {
    const __m512 value =
        _mm512_mul_ps(_mm512_sub_ps(load_lanes(x), _mm512_loadu_ps(origin)), _mm512_set1_ps(inverse));
    // Of NaN, max is its second operand: 0, with an error of NaN.
    const __m512 positive = _mm512_mask_max_ps(value, 0xffff, value, _mm512_setzero_ps());
    const __m512 inside = _mm512_mask_min_ps(positive, 0xffff, positive, _mm512_set1_ps(255));
    const __m512i code = _mm512_cvtps_epi32(inside);
    const __m512 error = _mm512_sub_ps(value, _mm512_cvtepi32_ps(code));
    squares = _mm512_fmadd_ps(error, error, squares);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm512_cvtepi32_epi8(code));
}

inline double total(HalfSums squares) {
    return static_cast<double>(_mm512_reduce_add_ps(squares));
}
#elif KMOSAIC_LANES == 8
struct HalfSums {
    __m256 lanes[2];
};

template <class T>
inline void code_halves(const T* x, const float* origin, float inverse, std::uint8_t* codes,
                        HalfSums& squares) {
    __m256i code[2];
#pragma GCC unroll 2
    for (std::size_t v = 0; v < 2; ++v) {
        const __m256 value = _mm256_mul_ps(
            _mm256_sub_ps(load_lanes(x + 8 * v), _mm256_loadu_ps(origin + 8 * v)), _mm256_set1_ps(inverse));
        const __m256 inside = _mm256_min_ps(_mm256_max_ps(value, _mm256_setzero_ps()), _mm256_set1_ps(255));
        code[v] = _mm256_cvtps_epi32(inside);
        const __m256 error = _mm256_sub_ps(value, _mm256_cvtepi32_ps(code[v]));
        squares.lanes[v] = _mm256_fmadd_ps(error, error, squares.lanes[v]);
    }
    // Quads 0 2 1 3 of words, then of bytes.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(code[0], code[1]), 0xD8);
    const __m256i bytes = _mm256_permute4x64_epi64(_mm256_packus_epi16(words, words), 0xD8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm256_castsi256_si128(bytes));
}

inline double total(const HalfSums& squares) {
    float lanes[8];
    _mm256_storeu_ps(lanes, _mm256_add_ps(squares.lanes[0], squares.lanes[1]));
    double sum = 0;
    for (const float lane : lanes) sum += static_cast<double>(lane);
    return sum;
}
#else
struct HalfSums {
    float lanes[kHalves];
};

template <class T>
inline void code_halves(const T* x, const float* origin, float inverse, std::uint8_t* codes,
                        HalfSums& squares) {
    float value[kHalves];
    std::int32_t code[kHalves];
    load_floats(x, value);
    for (std::size_t l = 0; l < kHalves; ++l) {
        value[l] = (value[l] - origin[l]) * inverse;
        const float most = value[l] < 255 ? value[l] : 255.0F;
        const float inside = value[l] > 0 ? most : 0.0F;  // 0 for NaN, whose error is NaN
        code[l] = static_cast<std::int32_t>(inside + 0.5F);
    }
    for (std::size_t l = 0; l < kHalves; ++l) {
        const float error = value[l] - static_cast<float>(code[l]);
        squares.lanes[l] += error * error;
    }
    for (std::size_t l = 0; l < kHalves; ++l) codes[l] = static_cast<std::uint8_t>(code[l]);
}

inline double total(const HalfSums& squares) {
    double sum = 0;
    for (const float lane : squares.lanes) sum += static_cast<double>(lane);
    return sum;
}
#endif

template <class T>
double halves_to_bytes(const void* row, std::size_t n, const float* origin, float inverse,
                       std::uint8_t* codes) {
    const T* x = static_cast<const T*>(row);
    HalfSums squares{};
    std::size_t f = 0;
    for (; f + kHalves <= n; f += kHalves) code_halves(x + f, origin + f, inverse, codes + f, squares);
    if (f < n) {
        T last[kHalves] = {};
        float from[kHalves] = {};
        std::uint8_t chunk[kHalves];
        std::memcpy(last, x + f, (n - f) * sizeof(T));
        std::memcpy(from, origin + f, (n - f) * sizeof(float));
        code_halves(last, from, inverse, chunk, squares);
        std::memcpy(codes + f, chunk, n - f);
    }
    return total(squares);
}

}  // namespace
}  // namespace kmosaic::KMOSAIC_ISA
