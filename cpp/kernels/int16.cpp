// The int16 filter for integer rows of few features, two features to a lane: AVX-512, with VNNI or without.
// Scores and slack are explained in filters/int16_filter.hpp. (Narrower registers have no shuffle of int16
// values across them, and gain nothing over float32.)
#include <cstring>
#include <iterator>

#include "kernels/intrinsics.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kMaxPairs = kMaxLowDimFeatures / 2;
constexpr std::size_t kLineBytes = 64;
// Bytes to prefetch ahead: the hardware prefetcher is too late when two threads read from memory.
constexpr std::size_t kAhead = 2048;

inline __m512i add_products(__m512i sum, __m512i x, __m512i y) {
#ifdef __AVX512VNNI__
    return _mm512_dpwssd_epi32(sum, x, y);
#else
    return _mm512_add_epi32(sum, _mm512_madd_epi16(x, y));
#endif
}

// Reads rows as pairs of int16, sixteen rows at a time: bytes as they are, uint16 less 32768. Pairs = 0: any
// number of pairs, known at run time.
template <class T, std::size_t Pairs>
class PairReader {
  public:
    // Whether to read rows by `transpose`, else by `pair`.
    static constexpr bool kTransposes = sizeof(T) == 2 && Pairs > 4;

    PairReader(const T* rows, std::size_t n_rows, std::size_t n_features)
        : data_(rows), n_rows_(n_rows), n_features_(n_features) {
        if constexpr (!kTransposes)
            for (std::size_t p = 0; p < n_pairs(); ++p)
                for (std::size_t lane = 0; lane < kLanes; ++lane)
                    for (std::size_t half = 0; half < 2; ++half) place(p, lane, half);
    }

    [[nodiscard]] std::size_t n_pairs() const {
        if constexpr (Pairs > 0) return Pairs;
        return (n_features_ + 1) / 2;
    }

    // Sixteen rows; values beyond the last row are undefined.
    const void* rows_at(std::size_t row) {
        const auto* ahead = reinterpret_cast<const char*>(data_ + row * n_features_) + kAhead;
        for (std::size_t b = 0; b < kLanes * n_features_ * sizeof(T); b += kLineBytes)
            _mm_prefetch(ahead + b, _MM_HINT_T0);
        const std::size_t left = row < n_rows_ ? (n_rows_ - row) * n_features_ * sizeof(T) : 0;
        if (left >= sizeof last_) return data_ + row * n_features_;
        if (left > 0) std::memcpy(last_, data_ + row * n_features_, left);
        return last_;
    }

    // Reads all pairs of rows of 17 to 32 bytes into x[p * stride], by a transposition.
    void transpose(const void* rows, __m512i* x, std::size_t stride) const {
        const auto* data = static_cast<const std::uint8_t*>(rows);
        const auto load = [&](std::size_t row) {
            return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + row * n_features_ * sizeof(T)));
        };
        // Pairing rows i and i + 4 brings the result into order.
        __m512i r[8];
#pragma GCC unroll 8
        for (std::size_t i = 0; i < 8; ++i) {
            const std::size_t row = i < 4 ? i : i + 4;
            r[i] = _mm512_inserti64x4(_mm512_castsi256_si512(load(row)), load(row + 4), 1);
        }
        __m512i quads[8];  // of pairs p and p + 4, [rows / 4][p]
#pragma GCC unroll 2
        for (std::size_t i = 0; i < 8; i += 4) {
            const __m512i low = _mm512_unpacklo_epi32(r[i], r[i + 1]);
            const __m512i high = _mm512_unpackhi_epi32(r[i], r[i + 1]);
            const __m512i low_after = _mm512_unpacklo_epi32(r[i + 2], r[i + 3]);
            const __m512i high_after = _mm512_unpackhi_epi32(r[i + 2], r[i + 3]);
            quads[i] = _mm512_unpacklo_epi64(low, low_after);
            quads[i + 1] = _mm512_unpackhi_epi64(low, low_after);
            quads[i + 2] = _mm512_unpacklo_epi64(high, high_after);
            quads[i + 3] = _mm512_unpackhi_epi64(high, high_after);
        }
#pragma GCC unroll 8
        for (std::size_t p = 0; p < Pairs; ++p)
            x[p * stride] = _mm512_xor_si512(p < 4 ? _mm512_shuffle_i64x2(quads[p], quads[p + 4], 0x88)
                                                   : _mm512_shuffle_i64x2(quads[p - 4], quads[p], 0xDD),
                                             _mm512_set1_epi16(INT16_MIN));
    }

    // Pair p of each of the sixteen rows.
    [[nodiscard]] __m512i pair(const void* rows, std::size_t p) const {
        const __m512i indices = _mm512_load_si512(sources_[p]);
        const auto* source = static_cast<const std::uint8_t*>(rows);
        __m512i x = _mm512_setzero_si512();
        for (std::size_t s = 0; s < n_sources(); ++s, source += kBytes)
            x = _mm512_or_si512(
                x, _mm512_maskz_permutex2var_epi16(from_[p][s], _mm512_loadu_si512(source), indices,
                                                   _mm512_loadu_si512(source + kBytes / 2)));
        if constexpr (sizeof(T) == 1)
            return _mm512_and_si512(_mm512_srlv_epi16(x, _mm512_load_si512(shifts_[p])),
                                    _mm512_set1_epi16(255));
        return _mm512_xor_si512(x, _mm512_set1_epi16(INT16_MIN));
    }

  private:
    static constexpr std::size_t kBytes = 128;  // that one shuffle reads
    static constexpr std::size_t kMaxBytes = kLanes * kMaxLowDimFeatures * sizeof(T);

    // How many shuffles reach the last feature of sixteen rows; an odd number of features is rounded up.
    [[nodiscard]] std::size_t n_sources() const {
        return (kLanes * 2 * n_pairs() * sizeof(T) + kBytes - 1) / kBytes;
    }

    // Stores where a pair's half comes from; the half beyond an odd number of features has no coefficient.
    void place(std::size_t p, std::size_t lane, std::size_t half) {
        const std::size_t f = 2 * p + half < n_features_ ? 2 * p + half : 2 * p;
        const std::size_t byte = (lane * n_features_ + f) * sizeof(T);
        sources_[p][2 * lane + half] = static_cast<std::uint16_t>(byte / 2 % (kBytes / 2));
        shifts_[p][2 * lane + half] = static_cast<std::uint16_t>(8 * (byte % 2));
        from_[p][byte / kBytes] |= 1U << (2 * lane + half);
    }

    const T* data_;
    std::size_t n_rows_;
    std::size_t n_features_;
    alignas(64) std::uint16_t sources_[kMaxPairs][2 * kLanes];
    alignas(64) std::uint16_t shifts_[kMaxPairs][2 * kLanes];
    std::uint32_t from_[kMaxPairs][kMaxBytes / kBytes] = {};
    alignas(64) std::uint8_t last_[kMaxBytes + kBytes] = {};
};

// The labels of up to four registers of rows, and a bit for each row that is decided.
constexpr std::size_t kMaxVectors = 4;
struct Decisions {
    __m512i labels[kMaxVectors];
    std::uint64_t decided;
};

// Labels of four registers, in order, as bytes.
inline __m512i as_bytes(const __m512i (&labels)[kMaxVectors]) {
    const __m512i quads = _mm512_packus_epi16(_mm512_packus_epi32(labels[0], labels[1]),
                                              _mm512_packus_epi32(labels[2], labels[3]));
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
                                    quads);
}

// Calls visit(bit) for each set bit, and for others if fewer than Few are set: the first Few calls need no
// branch, which would be mispredicted. The caller must ignore the results of the surplus calls.
template <std::size_t Few, class Visit>
inline void visit_bits(std::uint64_t bits, Visit visit) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < Few; ++i, bits &= bits - 1)
        visit(static_cast<std::size_t>(__builtin_ctzll(bits | std::uint64_t{1} << 63)));
    for (; bits != 0; bits &= bits - 1) visit(static_cast<std::size_t>(__builtin_ctzll(bits)));
}

// Lists the rows in the mask with their labels before and now, which begin at `row`.
template <class Label>
inline void list_moved(std::uint64_t changed, std::size_t row, const Label* before, const Label* now,
                       std::uint32_t n_clusters, Int16Labels& out) {
    MovedRow* moved = out.moved + out.n_moved;
    visit_bits<kInt16ListSpare>(changed, [&](std::size_t i) {
        const std::uint32_t from = before[i];
        *moved++ = {out.first + row + i, from < n_clusters ? from : n_clusters, now[i]};
    });
}

// Both write those labels of decided rows in the mask that change, and return which rows these are.
inline std::uint64_t write_bytes(std::size_t row, std::uint64_t rows, const Decisions& decisions,
                                 std::uint32_t n_clusters, Int16Labels& out) {
    std::uint8_t* labels = static_cast<std::uint8_t*>(out.labels) + row;
    _mm_prefetch(reinterpret_cast<const char*>(labels + kAhead), _MM_HINT_T0);
    const __m512i now = as_bytes(decisions.labels);
    const __m512i before = _mm512_maskz_loadu_epi8(rows, labels);
    const std::uint64_t changed = _mm512_mask_cmpneq_epu8_mask(rows & decisions.decided, before, now);
    _mm512_mask_storeu_epi8(labels, changed, now);
    if (out.moved) {
        alignas(64) std::uint8_t old[64];
        alignas(64) std::uint8_t young[64];
        _mm512_store_si512(old, before);
        _mm512_store_si512(young, now);
        list_moved(changed, row, old, young, n_clusters, out);
    }
    return changed;
}

inline std::uint64_t write_wide(std::size_t row, std::uint64_t rows, const Decisions& decisions,
                                std::uint32_t n_clusters, Int16Labels& out) {
    std::int32_t* labels = static_cast<std::int32_t*>(out.labels) + row;
    alignas(64) std::uint32_t old[kMaxVectors * kLanes];
    alignas(64) std::uint32_t young[kMaxVectors * kLanes];
    std::uint64_t changed = 0;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kMaxVectors; ++v) {
        const auto own = static_cast<__mmask16>(rows >> (v * kLanes));
        const auto decided = static_cast<__mmask16>(decisions.decided >> (v * kLanes));
        const __m512i before = _mm512_maskz_loadu_epi32(own, labels + v * kLanes);
        const __mmask16 differ = _mm512_mask_cmpneq_epi32_mask(own & decided, before, decisions.labels[v]);
        _mm512_mask_storeu_epi32(labels + v * kLanes, differ, decisions.labels[v]);
        _mm512_store_si512(old + v * kLanes, before);
        _mm512_store_si512(young + v * kLanes, decisions.labels[v]);
        changed |= std::uint64_t{differ} << (v * kLanes);
    }
    if (out.moved) list_moved(changed, row, old, young, n_clusters, out);
    return changed;
}

// Writes the labels of decided rows where they change, and lists the undecided rows.
inline void write_labels(std::size_t row, std::size_t n_rows, const Decisions& decisions,
                         std::uint32_t n_clusters, Int16Labels& out) {
    const std::uint64_t rows = ~std::uint64_t{0} >> (kMaxVectors * kLanes - n_rows);
    const std::uint64_t changed = out.bytes ? write_bytes(row, rows, decisions, n_clusters, out)
                                            : write_wide(row, rows, decisions, n_clusters, out);
    out.n_moved += static_cast<std::size_t>(__builtin_popcountll(changed));
    const std::uint64_t undecided = rows & ~decisions.decided;
    std::uint32_t* list = out.undecided + out.n_undecided;
    visit_bits<1>(undecided, [&](std::size_t i) { *list++ = static_cast<std::uint32_t>(row + i); });
    out.n_undecided += static_cast<std::size_t>(__builtin_popcountll(undecided));
}

// Labels rows, Vectors registers at a time. A score's low bits are its centroid's index. Up to eight pairs of
// features stay in registers.
template <class T, std::size_t Pairs, std::size_t Vectors>
void label(const T* data, std::size_t n_rows, const Int16Centers& c, Int16Labels& out) {
    PairReader<T, Pairs> reader(data, n_rows, c.n_features);
    const std::size_t n_pairs = reader.n_pairs();
    const __m512i mask = _mm512_set1_epi32(c.label_mask);
    for (std::size_t first = 0; first < n_rows; first += Vectors * kLanes) {
        __m512i x[Pairs > 0 ? Pairs : kMaxPairs][Vectors];
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Vectors; ++v) {
            const void* rows = reader.rows_at(first + v * kLanes);
            if constexpr (PairReader<T, Pairs>::kTransposes) {
                reader.transpose(rows, &x[0][v], Vectors);
            } else {
#pragma GCC unroll 8
                for (std::size_t p = 0; p < n_pairs; ++p) x[p][v] = reader.pair(rows, p);
            }
        }
        __m512i best[Vectors];
        __m512i second[Vectors];
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Vectors; ++v)
            best[v] = second[v] = _mm512_set1_epi32(kUnusedInt16Constant);
        const std::int32_t* coefficients = c.coefficients;
        for (std::size_t j = 0; j < c.n_clusters; ++j, coefficients += n_pairs) {
            __m512i scores[Vectors];
#pragma GCC unroll 4
            for (std::size_t v = 0; v < Vectors; ++v) scores[v] = _mm512_set1_epi32(c.constants[j]);
#pragma GCC unroll 8
            for (std::size_t p = 0; p < n_pairs; ++p)
#pragma GCC unroll 4
                for (std::size_t v = 0; v < Vectors; ++v)
                    scores[v] = add_products(scores[v], x[p][v], _mm512_set1_epi32(coefficients[p]));
            const __m512i number = _mm512_set1_epi32(static_cast<std::int32_t>(j));
#pragma GCC unroll 4
            for (std::size_t v = 0; v < Vectors; ++v) {
                const __m512i score =
                    _mm512_ternarylogic_epi32(scores[v], mask, number, 0xB8);  // mask ? number : score
                second[v] = _mm512_min_epi32(second[v], _mm512_max_epi32(best[v], score));
                best[v] = _mm512_min_epi32(best[v], score);
            }
        }
        Decisions decisions{};
#pragma GCC unroll 4
        for (std::size_t v = 0; v < Vectors; ++v) {
            __m512i half_reach = _mm512_setzero_si512();
#pragma GCC unroll 8
            for (std::size_t p = 0; p < n_pairs; ++p) {
                const __m512i origin = _mm512_set1_epi32(c.origins[p]);
                const __m512i far =
                    _mm512_sub_epi16(_mm512_max_epi16(x[p][v], origin), _mm512_min_epi16(x[p][v], origin));
                half_reach =
                    add_products(half_reach, _mm512_srli_epi16(far, 1), _mm512_set1_epi32(c.present[p]));
            }
            const __m512i slack =
                _mm512_add_epi32(_mm512_set1_epi32(c.slack), _mm512_add_epi32(half_reach, half_reach));
            decisions.labels[v] = _mm512_and_si512(best[v], mask);
            const __mmask16 decided = _mm512_cmpgt_epi32_mask(_mm512_sub_epi32(second[v], best[v]), slack);
            decisions.decided |= std::uint64_t{decided} << (v * kLanes);
        }
        const std::size_t n_left = n_rows - first;
        write_labels(first, n_left < Vectors * kLanes ? n_left : Vectors * kLanes, decisions,
                     static_cast<std::uint32_t>(c.n_clusters), out);
    }
}

// By the number of pairs: as many rows as fit the registers with all their values.
template <class T>
constexpr void (*kLabel[])(const T*, std::size_t, const Int16Centers&, Int16Labels&) = {
    label<T, 0, 4>, label<T, 1, 4>, label<T, 2, 4>, label<T, 3, 4>, label<T, 4, 4>,
    label<T, 5, 2>, label<T, 6, 2>, label<T, 7, 2>, label<T, 8, 2>};

template <class T>
void nearest(const void* rows, std::size_t n_rows, const Int16Centers& c, Int16Labels& out) {
    const std::size_t n_pairs = (c.n_features + 1) / 2;
    out.n_moved = out.n_undecided = 0;
    kLabel<T>[n_pairs < std::size(kLabel<T>) ? n_pairs : 0](static_cast<const T*>(rows), n_rows, c, out);
}

// Several rows at a time, which fill the registers.
void range(const std::uint16_t* values, std::size_t n_rows, std::size_t n_features, std::uint16_t* low,
           std::uint16_t* high) {
    constexpr std::size_t kRows = 32;
    std::uint16_t least[kRows * kMaxLowDimFeatures];
    std::uint16_t most[kRows * kMaxLowDimFeatures];
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

extern const Int16Kernels int16_kernels;
const Int16Kernels int16_kernels = {{nearest<std::uint8_t>, nullptr, nearest<std::uint16_t>, nullptr}, range};

}  // namespace kmosaic::KMOSAIC_ISA
