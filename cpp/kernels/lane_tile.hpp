// Reads a tile of rows into lanes: from [row][feature] as stored to [feature][row] in float32, less the
// origin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/halves.hpp"
#include "kernels/kernels.hpp"
#include "kernels/lanes.hpp"

namespace kmosaic::KMOSAIC_ISA {

constexpr std::size_t kTileValues = kLaneTile * kMaxLowDimFeatures;

// What transposing leaves as it is.
struct AsIs {
    template <class Values>
    Values operator()(Values values, std::size_t) const {
        return values;
    }
};

#if KMOSAIC_LANES == 1

template <class Finish>
void transpose(const float* rows, std::size_t n_features, Finish finish, float* lanes) {
    for (std::size_t f = 0; f < n_features; ++f)
        for (std::size_t r = 0; r < kLaneTile; ++r)
            lanes[f * kLaneTile + r] = finish(rows[r * n_features + f], f);
}

#else

// Quads of features: of one row, or with 256 bits of rows r and r + 4, so that eight rows come out in order.
// (512 bits were slower on Zen 4.)
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

// Four features of kQuadLanes rows, from `feature` on.
template <class Finish>
inline void transpose_quads(const float* rows, std::size_t n_features, std::size_t feature, Finish finish,
                            float* lanes) {
    constexpr int n = kQuadLanes;
    Quads row[4];
#pragma GCC unroll 4
    for (std::size_t r = 0; r < 4; ++r) row[r] = load_quads(rows + r * n_features + feature, n_features);
    const Quads a = KMOSAIC_SHUFFLE(row[0], row[1], KMOSAIC_EACH(0, n, 1, n + 1));
    const Quads b = KMOSAIC_SHUFFLE(row[2], row[3], KMOSAIC_EACH(0, n, 1, n + 1));
    const Quads c = KMOSAIC_SHUFFLE(row[0], row[1], KMOSAIC_EACH(2, n + 2, 3, n + 3));
    const Quads d = KMOSAIC_SHUFFLE(row[2], row[3], KMOSAIC_EACH(2, n + 2, 3, n + 3));
    const Quads out[4] = {KMOSAIC_SHUFFLE(a, b, KMOSAIC_EACH(0, 1, n, n + 1)),
                          KMOSAIC_SHUFFLE(a, b, KMOSAIC_EACH(2, 3, n + 2, n + 3)),
                          KMOSAIC_SHUFFLE(c, d, KMOSAIC_EACH(0, 1, n, n + 1)),
                          KMOSAIC_SHUFFLE(c, d, KMOSAIC_EACH(2, 3, n + 2, n + 3))};
#pragma GCC unroll 4
    for (std::size_t f = 0; f < 4; ++f)
        *reinterpret_cast<LooseQuads*>(lanes + f * kLaneTile) = finish(out[f], feature + f);
}
#undef KMOSAIC_SHUFFLE
#undef KMOSAIC_EACH

// The last four features overlap those before. With fewer than four features the surplus values are the next
// row's and are not used.
template <class Finish>
void transpose(const float* rows, std::size_t n_features, Finish finish, float* lanes) {
    for (std::size_t f = 0; f < n_features; f += 4) {
        const std::size_t first = f + 4 > n_features && n_features > 4 ? n_features - 4 : f;
        for (std::size_t r = 0; r < kLaneTile; r += kQuadLanes)
            transpose_quads(rows + r * n_features, n_features, first, finish, lanes + first * kLaneTile + r);
    }
}

#endif

// Reads tiles through a copy in float32, row by row, less the origin: exact for integers, rounded once for
// float32.
template <class T>
class TileReader {
  public:
    TileReader(const T* rows, const LaneCenters& c)
        : data_(rows), n_features_(c.n_features), scale_(static_cast<Real>(c.scale)) {
        for (std::size_t r = 0; r < kLaneTile; ++r)
            for (std::size_t f = 0; f < n_features_; ++f)
                origins_[r * n_features_ + f] = static_cast<Real>(c.origin[f]);
    }

    // The tile of `count` rows from `first`, [feature][row]; values beyond them are undefined.
    const float* lanes(std::size_t first, std::size_t count) {
        widen(data_ + first * n_features_, count * n_features_);
        if (n_features_ == 1) return rows_;
        transpose(rows_, n_features_, AsIs(), lanes_);
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

// How many features the chunk at `feature` has: kLaneChunk, but the last two chunks share what is left, so that none is
// too short to transpose.
inline std::size_t chunk_at(std::size_t n_features, std::size_t feature) {
    const std::size_t left = n_features - feature;
    return left <= kLaneChunk ? left : left < kLaneChunk + 4 ? left - 4 : kLaneChunk;
}

// Reads a chunk of features of a tile of longer rows: [feature][row].
template <class T>
class ChunkReader {
  public:
    ChunkReader(const T* rows, const LaneCenters& c, float* scratch)
        : data_(rows),
          origin_(c.origin),
          n_features_(c.n_features),
          scale_(c.scale),
          far_apart_(c.n_features * sizeof(T) >= 4096),
          rows_(scratch),
          lanes_(scratch + kLaneTile * kLaneChunk) {}

    // Features `feature` to `feature + width` of `count` rows from `first`; values beyond the rows are
    // undefined. `width` is at least 4.
    const float* lanes(std::size_t first, std::size_t count, std::size_t feature, std::size_t width) {
        read([&](std::size_t r) { return first + r; }, count, feature, width, lanes_);
        return lanes_;
    }

    // The same of rows row(0), row(1) ..., into `lanes`, at least four features long.
    template <class Row>
    void read(Row row, std::size_t count, std::size_t feature, std::size_t width, float* lanes) {
        Real origin[kLaneChunk];
        for (std::size_t f = 0; f < width; ++f) origin[f] = static_cast<Real>(origin_[feature + f]);
        for (std::size_t f = width; f < 4; ++f) origin[f] = 0;  // of surplus values
        for (std::size_t r = 0; r < count; ++r) {
            const T* x = data_ + row(r) * n_features_ + feature;
            convert(x, origin, width, rows_ + r * width);
            if (far_apart_) fetch(x + width, n_features_ - feature - width);
        }
        if constexpr (sizeof(T) == 8) {
            transpose(rows_, width, AsIs(), lanes);
        } else {
            const auto scale = static_cast<float>(scale_);
            const auto less_origin = [&](auto values, std::size_t f) {
                const auto difference = values - origin[f];
                return std::is_integral_v<T> ? difference : difference * scale;
            };
            transpose(rows_, width, less_origin, lanes);
        }
    }

  private:
    using Real = std::conditional_t<sizeof(T) == 8, double, float>;

    // The row's next chunk, of at most so many features.
    static void fetch(const T* x, std::size_t n) {
        const std::size_t bytes = sizeof(T) * (n < kLaneChunk ? n : kLaneChunk);
        for (std::size_t byte = 0; byte < bytes; byte += 64)
            __builtin_prefetch(reinterpret_cast<const char*>(x) + byte);
    }

    // In float32; only of float64 less the origin, which does not fit into float32.
    void convert(const T* x, const Real* origin, std::size_t n, float* out) const {
        if constexpr (sizeof(T) == 8)
            for (std::size_t f = 0; f < n; ++f) out[f] = static_cast<float>((x[f] - origin[f]) * scale_);
        else
            to_floats(x, n, out);
    }

    const T* data_;
    const double* origin_;
    std::size_t n_features_;
    double scale_;
    bool far_apart_;  // whether rows are a page apart, across which processors fetch nothing ahead
    float* rows_;
    float* lanes_;
};

}  // namespace kmosaic::KMOSAIC_ISA
