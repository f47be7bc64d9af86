// Screening of integer rows of few features by products of 16-bit words, two features to a lane: AVX-512, with VNNI or
// without. What its scores and its slack mean is in kmeans/word_screen.hpp. (Narrower registers have no shuffle of words
// across them, and gain nothing over float32.)
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 sees these in its own _mm512_undefined_epi32.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>

#include <cstring>
#include <iterator>

#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kMostPairs = kMostNarrowFeatures / 2;

inline __m512i add_products(__m512i sum, __m512i x, __m512i y) {
#ifdef __AVX512VNNI__
    return _mm512_dpwssd_epi32(sum, x, y);
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(x, y));
#endif
}

// Reads tiles of rows as pairs of signed words: bytes as they are, uint16 less 32768.
template <class T>
class PairReader {
  public:
    PairReader(const T* rows, std::size_t n_rows, std::size_t n_features)
        : data_(rows),
          n_rows_(n_rows),
          n_features_(n_features),
          pick_(kPick[(kLanes * n_features * sizeof(T) - 1) / kBytes]) {
        for (std::size_t p = 0; p < n_pairs(); ++p)
            for (std::size_t lane = 0; lane < kLanes; ++lane)
                for (std::size_t half = 0; half < 2; ++half) place(p, lane, half);
    }

    [[nodiscard]] std::size_t n_pairs() const { return (n_features_ + 1) / 2; }

    // [pair][row] of the tile from `first`; what is beyond the last row means nothing.
    const std::int32_t* operator()(std::size_t first) {
        for (std::size_t r = 0; r < kNarrowTile; r += kLanes) pick_(*this, rows_at(first + r), r);
        return lanes_;
    }

  private:
    static constexpr std::size_t kBytes = 128;  // that one shuffle picks words from
    static constexpr std::size_t kMostBytes = kLanes * kMostNarrowFeatures * sizeof(T);

    // Where a pair's half comes from; the half beyond an odd number of features has no coefficient.
    void place(std::size_t p, std::size_t lane, std::size_t half) {
        const std::size_t f = 2 * p + half < n_features_ ? 2 * p + half : 2 * p;
        const std::size_t byte = (lane * n_features_ + f) * sizeof(T);
        words_[p][2 * lane + half] = static_cast<std::uint16_t>(byte / 2 % (kBytes / 2));
        shifts_[p][2 * lane + half] = static_cast<std::uint16_t>(8 * (byte % 2));
        from_[p][byte / kBytes] |= 1U << (2 * lane + half);
    }

    // Sixteen rows, and what a reader reaches beyond.
    const void* rows_at(std::size_t row) {
        const std::size_t left = row < n_rows_ ? (n_rows_ - row) * n_features_ * sizeof(T) : 0;
        if (left >= sizeof last_) return data_ + row * n_features_;
        if (left > 0) std::memcpy(last_, data_ + row * n_features_, left);
        return last_;
    }

    // Each pair's words out of so many sources of kBytes.
    template <std::size_t Sources>
    static void pick(PairReader& self, const void* source, std::size_t r) {
        __m512i halves[2 * Sources];
        std::memcpy(halves, source, sizeof halves);
        for (std::size_t p = 0; p < self.n_pairs(); ++p) {
            const __m512i words = _mm512_load_si512(self.words_[p]);
            __m512i x = _mm512_maskz_permutex2var_epi16(self.from_[p][0], halves[0], words, halves[1]);
#pragma GCC unroll 8
            for (std::size_t s = 1; s < Sources; ++s)
                x = _mm512_or_si512(x, _mm512_maskz_permutex2var_epi16(self.from_[p][s], halves[2 * s], words,
                                                                       halves[2 * s + 1]));
            if constexpr (sizeof(T) == 1)
                x = _mm512_and_si512(_mm512_srlv_epi16(x, _mm512_load_si512(self.shifts_[p])),
                                     _mm512_set1_epi16(255));
            else
                x = _mm512_xor_si512(x, _mm512_set1_epi16(INT16_MIN));
            _mm512_store_si512(self.lanes_ + p * kNarrowTile + r, x);
        }
    }

    using Pick = void (*)(PairReader&, const void*, std::size_t);
    static constexpr Pick kPick[] = {pick<1>, pick<2>, pick<3>, pick<4>, pick<5>, pick<6>, pick<7>, pick<8>};

    const T* data_;
    std::size_t n_rows_;
    std::size_t n_features_;
    alignas(64) std::uint16_t words_[kMostPairs][2 * kLanes];
    alignas(64) std::uint16_t shifts_[kMostPairs][2 * kLanes];
    std::uint32_t from_[kMostPairs][std::size(kPick)] = {};
    Pick pick_;
    alignas(64) std::uint8_t last_[kMostBytes + kBytes] = {};
    alignas(64) std::int32_t lanes_[kMostPairs * kNarrowTile];
};

// A bit for each row of a tile.
struct TileBits {
    std::uint64_t changed;  // decided, and not the label before
    std::uint64_t undecided;
};

// Labels of Vectors registers of rows. A score's low bits are its centroid's number. Up to so many pairs of features stay in registers; Pairs = 0: any number, read anew for each centroid.
template <std::size_t Pairs, std::size_t Vectors>
inline TileBits label_pass(const std::int32_t* rows, std::size_t n_pairs, const WordCentroids& c,
                           const std::int32_t* before, std::int32_t* labels) {
    const auto load = [&](std::size_t p, std::size_t v) {
        return _mm512_load_si512(rows + p * kNarrowTile + v * kLanes);
    };
    __m512i kept[Pairs + 1][Vectors];
#pragma GCC unroll 8
    for (std::size_t p = 0; p < Pairs; ++p)
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Vectors; ++v) kept[p][v] = load(p, v);
    __m512i best[Vectors];
    __m512i second[Vectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Vectors; ++v) best[v] = second[v] = _mm512_set1_epi32(kUnusedWordConstant);
    const __m512i mask = _mm512_set1_epi32(c.label_mask);
    const std::int32_t* coefficients = c.coefficients;
    for (std::size_t j = 0; j < c.n_clusters; ++j, coefficients += n_pairs) {
        __m512i scores[Vectors];
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Vectors; ++v) scores[v] = _mm512_set1_epi32(c.constants[j]);
        if constexpr (Pairs > 0) {
#pragma GCC unroll 8
            for (std::size_t p = 0; p < Pairs; ++p)
#pragma GCC unroll 4
                for (std::size_t v = 0; v < Vectors; ++v)
                    scores[v] = add_products(scores[v], kept[p][v], _mm512_set1_epi32(coefficients[p]));
        } else {
            for (std::size_t p = 0; p < n_pairs; ++p)
#pragma GCC unroll 4
                for (std::size_t v = 0; v < Vectors; ++v)
                    scores[v] = add_products(scores[v], load(p, v), _mm512_set1_epi32(coefficients[p]));
        }
        const __m512i label = _mm512_set1_epi32(static_cast<std::int32_t>(j));
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Vectors; ++v) {
            const __m512i score =
                _mm512_ternarylogic_epi32(scores[v], mask, label, 0xB8);  // mask ? label : score
            second[v] = _mm512_min_epi32(second[v], _mm512_max_epi32(best[v], score));
            best[v] = _mm512_min_epi32(best[v], score);
        }
    }
    TileBits bits{0, 0};
#pragma GCC unroll 4
    for (std::size_t v = 0; v < Vectors; ++v) {
        __m512i half_reach = _mm512_setzero_si512();
        const auto add_half = [&](std::size_t p, __m512i x) {
            const __m512i origin = _mm512_set1_epi32(c.origins[p]);
            const __m512i far = _mm512_sub_epi16(_mm512_max_epi16(x, origin), _mm512_min_epi16(x, origin));
            half_reach = add_products(half_reach, _mm512_srli_epi16(far, 1), _mm512_set1_epi32(c.present[p]));
        };
        if constexpr (Pairs > 0) {
#pragma GCC unroll 8
            for (std::size_t p = 0; p < Pairs; ++p) add_half(p, kept[p][v]);
        } else {
            for (std::size_t p = 0; p < n_pairs; ++p) add_half(p, load(p, v));
        }
        const __m512i slack =
            _mm512_add_epi32(_mm512_set1_epi32(c.slack), _mm512_add_epi32(half_reach, half_reach));
        const __m512i lead = _mm512_sub_epi32(second[v], best[v]);
        const __m512i label = _mm512_and_si512(best[v], mask);
        const __mmask16 decided = _mm512_cmpgt_epi32_mask(lead, slack);
        const std::uint64_t changed =
            _mm512_mask_cmpneq_epi32_mask(decided, label, _mm512_loadu_si512(before + v * kLanes));
        _mm512_storeu_si512(labels + v * kLanes, label);
        bits.changed |= changed << (v * kLanes);
        bits.undecided |= static_cast<std::uint64_t>(static_cast<__mmask16>(~decided)) << (v * kLanes);
    }
    return bits;
}

template <std::size_t Pairs, std::size_t Vectors>
TileBits label_tile(const std::int32_t* rows, std::size_t n_pairs, const WordCentroids& c,
                    const std::int32_t* before, std::int32_t* labels) {
    TileBits bits{0, 0};
    for (std::size_t r = 0; r < kNarrowTile; r += Vectors * kLanes) {
        const TileBits pass = label_pass<Pairs, Vectors>(rows + r, n_pairs, c, before + r, labels + r);
        bits.changed |= pass.changed << r;
        bits.undecided |= pass.undecided << r;
    }
    return bits;
}

using LabelTile = TileBits (*)(const std::int32_t*, std::size_t, const WordCentroids&, const std::int32_t*,
                               std::int32_t*);

// By the number of pairs: as many rows as leave their values in registers.
constexpr LabelTile kLabelTile[] = {label_tile<0, 4>, label_tile<1, 4>, label_tile<2, 4>,
                                    label_tile<3, 4>, label_tile<4, 4>, label_tile<5, 2>,
                                    label_tile<6, 2>, label_tile<7, 2>, label_tile<8, 2>};

std::size_t list_bits(std::uint64_t bits, std::size_t first, std::uint32_t* list) {
    std::size_t n = 0;
    for (; bits; bits &= bits - 1)
        list[n++] = static_cast<std::uint32_t>(first + static_cast<std::size_t>(__builtin_ctzll(bits)));
    return n;
}

template <class T>
void nearest(const void* data, std::size_t n_rows, const WordCentroids& c, WordLabels& out) {
    PairReader<T> reader(static_cast<const T*>(data), n_rows, c.n_features);
    const std::size_t n_pairs = reader.n_pairs();
    const LabelTile label_rows = kLabelTile[n_pairs < std::size(kLabelTile) ? n_pairs : 0];
    out.n_changed = out.n_undecided = 0;
    const auto label = [&](std::size_t first, std::uint64_t rows, const std::int32_t* before,
                           std::int32_t* found) {
        const TileBits bits = label_rows(reader(first), n_pairs, c, before, found);
        out.n_changed += list_bits(bits.changed & rows, first, out.changed + out.n_changed);
        out.n_undecided += list_bits(bits.undecided & rows, first, out.undecided + out.n_undecided);
    };
    std::size_t first = 0;
    for (; first + kNarrowTile <= n_rows; first += kNarrowTile)
        label(first, ~std::uint64_t{0}, out.before + first, out.found + first);
    if (first == n_rows) return;
    std::int32_t before[kNarrowTile] = {};
    std::int32_t found[kNarrowTile];
    const std::size_t n_left = n_rows - first;
    std::memcpy(before, out.before + first, n_left * sizeof *before);
    label(first, (std::uint64_t{1} << n_left) - 1, before, found);
    std::memcpy(out.found + first, found, n_left * sizeof *found);
}

// Values are looked at several rows at a time, so that registers are full.
void range(const std::uint16_t* values, std::size_t n_rows, std::size_t n_features, std::uint16_t* low,
           std::uint16_t* high) {
    constexpr std::size_t kRows = 32;
    std::uint16_t least[kRows * kMostNarrowFeatures];
    std::uint16_t most[kRows * kMostNarrowFeatures];
    const std::size_t width = kRows * n_features;
    for (std::size_t i = 0; i < width; ++i) {
        least[i] = UINT16_MAX;
        most[i] = 0;
    }
    const std::size_t n_values = n_rows * n_features;
    for (std::size_t start = 0; start < n_values; start += width) {
        const std::size_t n = n_values - start < width ? n_values - start : width;
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint16_t value = values[start + i];
            least[i] = value < least[i] ? value : least[i];
            most[i] = value > most[i] ? value : most[i];
        }
    }
    for (std::size_t i = 0; i < width; ++i) {
        const std::size_t f = i % n_features;
        low[f] = least[i] < low[f] ? least[i] : low[f];
        high[f] = most[i] > high[f] ? most[i] : high[f];
    }
}

}  // namespace

extern const WordKernels word_kernels;
const WordKernels word_kernels = {{nearest<std::uint8_t>, nearest<std::uint16_t>}, range};

}  // namespace kmosaic::KMOSAIC_ISA
