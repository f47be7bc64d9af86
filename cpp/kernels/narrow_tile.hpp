// A tile of rows on its way into the lanes: from [row][feature] as stored to [feature][row] in float32, less the origin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/kernels.hpp"
#include "kernels/lanes.hpp"

namespace kmosaic::KMOSAIC_ISA {

constexpr std::size_t kTileValues = kNarrowTile * kMostNarrowFeatures;

#if KMOSAIC_LANES == 1

inline void transpose(const float* rows, std::size_t n_features, float* lanes) {
    for (std::size_t f = 0; f < n_features; ++f)
        for (std::size_t r = 0; r < kNarrowTile; ++r) lanes[f * kNarrowTile + r] = rows[r * n_features + f];
}

#else

// Quads of features: of one row, or with 256 bits of rows r and r + 4, so that eight rows come out in order. (512 bits
// were slower on Zen 4.)
constexpr int kQuadLanes = KMOSAIC_LANES >= 8 ? 8 : 4;
using Quads = float __attribute__((vector_size(kQuadLanes * sizeof(float))));
using QuadIndices = std::int32_t __attribute__((vector_size(kQuadLanes * sizeof(std::int32_t))));
typedef Quads LooseQuads __attribute__((aligned(alignof(float)), may_alias));

#if KMOSAIC_LANES >= 8
inline Quads load_quads(const float* row, std::size_t n_features) {
    return _mm256_loadu2_m128(row + 4 * n_features, row);
}
#define KMOSAIC_EACH(i, j, k, l) i, j, k, l, i + 4, j + 4, k + 4, l + 4
#else
inline Quads load_quads(const float* row, std::size_t) {
    return *reinterpret_cast<const LooseQuads*>(row);
}
#define KMOSAIC_EACH(i, j, k, l) i, j, k, l
#endif

#if defined(__clang__) || __GNUC__ >= 12
#define KMOSAIC_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define KMOSAIC_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, QuadIndices{__VA_ARGS__})
#endif

// Four features of kQuadLanes rows.
inline void transpose_quads(const float* rows, std::size_t n_features, float* lanes) {
    constexpr int n = kQuadLanes;
    Quads row[4];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < 4; ++r) row[r] = load_quads(rows + r * n_features, n_features);
    const Quads a = KMOSAIC_SHUFFLE(row[0], row[1], KMOSAIC_EACH(0, n, 1, n + 1));
    const Quads b = KMOSAIC_SHUFFLE(row[2], row[3], KMOSAIC_EACH(0, n, 1, n + 1));
    const Quads c = KMOSAIC_SHUFFLE(row[0], row[1], KMOSAIC_EACH(2, n + 2, 3, n + 3));
    const Quads d = KMOSAIC_SHUFFLE(row[2], row[3], KMOSAIC_EACH(2, n + 2, 3, n + 3));
    const Quads out[4] = {KMOSAIC_SHUFFLE(a, b, KMOSAIC_EACH(0, 1, n, n + 1)),
                          KMOSAIC_SHUFFLE(a, b, KMOSAIC_EACH(2, 3, n + 2, n + 3)),
                          KMOSAIC_SHUFFLE(c, d, KMOSAIC_EACH(0, 1, n, n + 1)),
                          KMOSAIC_SHUFFLE(c, d, KMOSAIC_EACH(2, 3, n + 2, n + 3))};
#pragma GCC unroll 4
    for (std::size_t f = 0; f < 4; ++f) *reinterpret_cast<LooseQuads*>(lanes + f * kNarrowTile) = out[f];
}
#undef KMOSAIC_SHUFFLE
#undef KMOSAIC_EACH

// The last four features overlap those before; of fewer than four, the rest is the next row's and is not used.
inline void transpose(const float* rows, std::size_t n_features, float* lanes) {
    for (std::size_t f = 0; f < n_features; f += 4) {
        const std::size_t first = f + 4 > n_features && n_features > 4 ? n_features - 4 : f;
        for (std::size_t r = 0; r < kNarrowTile; r += kQuadLanes)
            transpose_quads(rows + r * n_features + first, n_features, lanes + first * kNarrowTile + r);
    }
}

#endif

// Reads tiles through a copy in float32, row by row, less the origin: exact for integers, rounded once for float32.
template <class T>
class TileReader {
  public:
    TileReader(const T* rows, std::size_t, const NarrowCentroids& c)
        : data_(rows), n_features_(c.n_features), scale_(static_cast<Real>(c.scale)) {
        for (std::size_t r = 0; r < kNarrowTile; ++r)
            for (std::size_t f = 0; f < n_features_; ++f)
                origins_[r * n_features_ + f] = static_cast<Real>(c.origin[f]);
    }

    // [feature][row] of the tile of `count` rows from `first`; what is beyond them means nothing.
    const float* lanes(std::size_t first, std::size_t count) {
        widen(data_ + first * n_features_, count * n_features_);
        if (n_features_ == 1) return rows_;
        transpose(rows_, n_features_, lanes_);
        return lanes_;
    }

  private:
    using Real = std::conditional_t<sizeof(T) == 8, double, float>;

    void widen(const T* x, std::size_t n) {
        for (std::size_t i = 0; i < n; ++i) {
            const Real difference = static_cast<Real>(x[i]) - origins_[i];
            rows_[i] = static_cast<float>(std::is_integral_v<T> ? difference : difference * scale_);
        }
    }

    const T* data_;
    std::size_t n_features_;
    Real scale_;
    alignas(64) Real origins_[kTileValues];
    alignas(64) float rows_[kTileValues + 4] = {};  // the last quad reaches three beyond
    alignas(64) float lanes_[kTileValues];
};

#if KMOSAIC_LANES == 16

// Reads tiles of integers where they lie: each feature of sixteen rows is picked out of pairs of registers as 16-bit
// words, and bytes out of those.
template <class T>
class WordReader {
  public:
    // Up to two pairs; with more, the copy is quicker.
    static constexpr std::size_t kMostFeatures = 16 / sizeof(T);

    WordReader(const T* rows, std::size_t n_rows, const NarrowCentroids& c)
        : data_(rows),
          n_rows_(n_rows),
          n_features_(c.n_features),
          two_pairs_(16 * c.n_features * sizeof(T) > kPairBytes) {
        for (std::size_t f = 0; f < n_features_; ++f) {
            origins_[f] = static_cast<float>(c.origin[f]);
            for (std::size_t lane = 0; lane < kLanes; ++lane) {
                const std::size_t byte = (lane * n_features_ + f) * sizeof(T);
                words_[f][lane] = static_cast<std::uint32_t>(byte / 2 % 64);
                shifts_[f][lane] = static_cast<std::uint32_t>(8 * (byte % 2));
                pairs_[f][byte / kPairBytes] |= 1U << (2 * lane);
            }
        }
    }

    const float* lanes(std::size_t first, std::size_t) {
        for (std::size_t r = 0; r < kNarrowTile; r += kLanes) {
            const void* source = rows_at(first + r);
            if (two_pairs_)
                read<2>(source, lanes_ + r);
            else
                read<1>(source, lanes_ + r);
        }
        return lanes_;
    }

  private:
    static constexpr std::size_t kPairBytes = 128;

    // Sixteen rows, and what their last pair of registers reaches beyond.
    const void* rows_at(std::size_t row) {
        const std::size_t left = row < n_rows_ ? (n_rows_ - row) * n_features_ * sizeof(T) : 0;
        if (left >= sizeof last_) return data_ + row * n_features_;
        if (left > 0) std::memcpy(last_, data_ + row * n_features_, left);
        return last_;
    }

    template <std::size_t Pairs>
    void read(const void* source, float* out) {
        __m512i halves[Pairs][2];
        std::memcpy(halves, source, sizeof halves);
        for (std::size_t f = 0; f < n_features_; ++f) {
            const __m512i words = _mm512_loadu_si512(words_[f]);
            __m512i x = _mm512_maskz_permutex2var_epi16(pairs_[f][0], halves[0][0], words, halves[0][1]);
            if constexpr (Pairs == 2)
                x |= _mm512_maskz_permutex2var_epi16(pairs_[f][1], halves[1][0], words, halves[1][1]);
            if constexpr (sizeof(T) == 1)
                x = _mm512_maskz_srlv_epi32(0xffff, x, _mm512_loadu_si512(shifts_[f])) &
                    _mm512_set1_epi32(255);
            const __m512 value = _mm512_maskz_cvtepi32_ps(0xffff, x) - origins_[f];
            _mm512_storeu_ps(out + f * kNarrowTile, value);
        }
    }

    const T* data_;
    std::size_t n_rows_;
    std::size_t n_features_;
    bool two_pairs_;
    float origins_[kMostFeatures];
    alignas(64) std::uint32_t words_[kMostFeatures][kLanes];
    alignas(64) std::uint32_t shifts_[kMostFeatures][kLanes];
    std::uint32_t pairs_[kMostFeatures][2] = {};
    std::uint8_t last_[2 * kPairBytes] = {};
    alignas(64) float lanes_[kMostFeatures * kNarrowTile];
};

#endif

}  // namespace kmosaic::KMOSAIC_ISA
