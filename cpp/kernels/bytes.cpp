// Kernels on rows of bytes, compiled once per instruction set: integer dot products with centroids' int8
// codes, and pruning by the scores that follow. L12 covers all rounding in float32.
#include <limits>

#include "kernels/byte_products.hpp"
#include "kernels/row_bytes.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

struct Span {
    float low;
    float high;
};

// Several panels at a time where there are enough registers, so that a row's bytes are read once for all of
// them.
constexpr std::size_t kPanelsAtOnce = KMOSAIC_LANES == 16 ? 4 : 1;
constexpr std::size_t kRowsAtOnce = KMOSAIC_LANES == 16 ? 6 : kRowGroup;

template <std::size_t NRows, std::size_t NPanels>
void products_of(const std::uint8_t* const* rows, std::size_t n_rows, std::size_t n_quads,
                 const std::int8_t* panels, std::size_t width, std::int32_t* out) {
    Ints found[NRows][NPanels * kVectors];
    for_each_group<NRows>(
        n_rows, [&](std::size_t r) { return rows[r]; },
        [&](std::size_t first, std::size_t count, const auto& codes) {
            multiply<NRows, NPanels>(panels, n_quads * 4 * kPanelWidth, n_quads, codes, found);
            for (std::size_t i = 0; i < count; ++i)
                std::memcpy(out + (first + i) * width, found[i],
                            NPanels * kPanelWidth * sizeof(std::int32_t));
        });
}

void products(const std::uint8_t* const* rows, std::size_t n_rows, std::size_t n_quads,
              const std::int8_t* panels, std::size_t n_panels, std::int32_t* out) {
    const std::size_t apart = n_quads * 4 * kPanelWidth;
    std::size_t p = 0;
    for (; p + kPanelsAtOnce <= n_panels; p += kPanelsAtOnce)
        products_of<kRowsAtOnce, kPanelsAtOnce>(rows, n_rows, n_quads, panels + p * apart,
                                                n_panels * kPanelWidth, out + p * kPanelWidth);
    for (; p < n_panels; ++p)
        products_of<kRowGroup, 1>(rows, n_rows, n_quads, panels + p * apart, n_panels * kPanelWidth,
                                  out + p * kPanelWidth);
}

// The panel after this one.
inline BytePanel next(const BytePanel& panel) {
    return {panel.codes + panel.n_quads * 4 * kPanelWidth,
            panel.n_quads,
            panel.constants + kPanelWidth,
            panel.scales + kPanelWidth,
            panel.norm_errors + kPanelWidth,
            panel.outside_errors + kPanelWidth,
            panel.group_lanes};
}

#if KMOSAIC_LANES == 16
using Floats = __m512;

// The least scores so far, lane by lane.
using Lowest = Floats;

inline void start(Lowest& lowest) {
    lowest = _mm512_set1_ps(std::numeric_limits<float>::infinity());
}

// The numbers of a panel's lanes, read once for many rows.
struct PanelLanes {
    explicit PanelLanes(const BytePanel& panel)
        : constants(_mm512_loadu_ps(panel.constants)),
          scales(_mm512_loadu_ps(panel.scales)),
          norm_errors(_mm512_loadu_ps(panel.norm_errors)),
          outside_errors(_mm512_loadu_ps(panel.outside_errors)) {}
    Floats constants, scales, norm_errors, outside_errors;
};

inline std::uint16_t prune_row(const PanelLanes& panel, const ByteRow& row, unsigned excluded,
                               const Ints* products, Lowest& lowest) {
    Floats lower = _mm512_fnmadd_ps(_mm512_set1_ps(row.norm), panel.norm_errors, panel.constants);
    lower = _mm512_fnmadd_ps(_mm512_set1_ps(row.outside_norm), panel.outside_errors, lower);
    lower = _mm512_fnmadd_ps(panel.scales, _mm512_cvtepi32_ps((__m512i)products[0]), lower);
    const auto in = static_cast<__mmask16>(~excluded);
    // NaN is not greater, so that such a lane is not pruned.
    const __mmask16 unpruned = _mm512_mask_cmp_ps_mask(in, lower, _mm512_set1_ps(row.limit), _CMP_NGT_UQ);
    lowest = _mm512_mask_min_ps(lowest, _mm512_kandn(unpruned, in), lowest, lower);
    return unpruned;
}

inline void store_least(Lowest lowest, unsigned group_lanes, float* least) {
    if (group_lanes == 16) {
        *least = _mm512_reduce_min_ps(lowest);
        return;
    }
    if (group_lanes > 1) lowest = _mm512_min_ps(lowest, _mm512_permute_ps(lowest, 0xB1));
    if (group_lanes > 2) lowest = _mm512_min_ps(lowest, _mm512_permute_ps(lowest, 0x4E));
    if (group_lanes > 4) lowest = _mm512_min_ps(lowest, _mm512_shuffle_f32x4(lowest, lowest, 0xB1));
    float lanes[kPanelWidth];
    _mm512_storeu_ps(lanes, lowest);
    for (unsigned l = 0; l < kPanelWidth; l += group_lanes) *least++ = lanes[l];
}

// The least scores so far, lane by lane, and the panel of each.
struct Guess {
    Floats scores;
    __m512i panels;
};

inline void start(Guess& guess) {
    guess = {_mm512_set1_ps(std::numeric_limits<float>::infinity()), _mm512_setzero_si512()};
}

inline void guess_row(const PanelLanes& panel, std::size_t p, const Ints* products, Guess& guess) {
    const Floats scores =
        _mm512_fnmadd_ps(panel.scales, _mm512_cvtepi32_ps((__m512i)products[0]), panel.constants);
    const __mmask16 nearer = _mm512_cmp_ps_mask(scores, guess.scores, _CMP_LT_OQ);
    guess.scores = _mm512_mask_mov_ps(guess.scores, nearer, scores);
    guess.panels =
        _mm512_mask_mov_epi32(guess.panels, nearer, _mm512_set1_epi32(static_cast<std::int32_t>(p)));
}

inline std::int32_t nearest_lane(const Guess& guess) {
    const __mmask16 where =
        _mm512_cmp_ps_mask(guess.scores, _mm512_set1_ps(_mm512_reduce_min_ps(guess.scores)), _CMP_EQ_OQ);
    std::int32_t panels[kPanelWidth];
    _mm512_storeu_si512(panels, guess.panels);
    const std::int32_t lane = __builtin_ctz(where);
    return panels[lane] * static_cast<std::int32_t>(kPanelWidth) + lane;
}
#else
using PanelLanes = BytePanel;

struct Lanes {
    float values[kPanelWidth];
};

inline Lanes scores_of(const BytePanel& panel, const Ints* products) {
    std::int32_t counts[kPanelWidth];
    std::memcpy(counts, products, sizeof counts);
    Lanes scores;
    for (std::size_t l = 0; l < kPanelWidth; ++l)
        scores.values[l] = panel.constants[l] - panel.scales[l] * static_cast<float>(counts[l]);
    return scores;
}

using Lowest = Lanes;

inline void start(Lowest& lowest) {
    for (float& value : lowest.values) value = std::numeric_limits<float>::infinity();
}

inline std::uint16_t prune_row(const BytePanel& panel, const ByteRow& row, unsigned excluded,
                               const Ints* products, Lowest& lowest) {
    Lanes lower = scores_of(panel, products);
    std::int32_t near[kPanelWidth];
    std::int32_t n_near = 0;
    for (std::size_t l = 0; l < kPanelWidth; ++l) {
        lower.values[l] -= row.norm * panel.norm_errors[l] + row.outside_norm * panel.outside_errors[l];
        near[l] = !(lower.values[l] > row.limit);  // NaN stays
        n_near += near[l];
    }
    unsigned unpruned = 0;
    if (n_near > 0 || excluded) {
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const bool in = !(excluded >> l & 1U);
            unpruned |= static_cast<unsigned>(in && near[l]) << l;
            if (!in || near[l]) lower.values[l] = std::numeric_limits<float>::infinity();
        }
    }
    for (std::size_t l = 0; l < kPanelWidth; ++l)
        lowest.values[l] = lower.values[l] < lowest.values[l] ? lower.values[l] : lowest.values[l];
    return static_cast<std::uint16_t>(unpruned);
}

inline void store_least(const Lowest& lowest, unsigned group_lanes, float* least) {
    for (std::size_t first = 0; first < kPanelWidth; first += group_lanes) {
        float smallest = lowest.values[first];
        for (std::size_t l = first + 1; l < first + group_lanes; ++l)
            smallest = lowest.values[l] < smallest ? lowest.values[l] : smallest;
        *least++ = smallest;
    }
}

struct Guess {
    float score;
    std::int32_t lane;
};

inline void start(Guess& guess) {
    guess = {std::numeric_limits<float>::infinity(), 0};
}

inline void guess_row(const PanelLanes& panel, std::size_t p, const Ints* products, Guess& guess) {
    const Lanes scores = scores_of(panel, products);
    for (std::size_t l = 0; l < kPanelWidth; ++l)
        if (scores.values[l] < guess.score)
            guess = {scores.values[l], static_cast<std::int32_t>(p * kPanelWidth + l)};
}

inline std::int32_t nearest_lane(const Guess& guess) {
    return guess.lane;
}
#endif

// Calls visit(p, lanes, products) for one panel after the other, times a group of rows.
template <class Visit>
inline void for_each_panel(const BytePanel& first, std::size_t n_panels,
                           const std::uint8_t* const (&codes)[kRowGroup], Visit visit) {
    Products found;
    const bool tiled = 4 * first.n_quads == kTileBytes;
    Tile tile;
    for (std::size_t r = 0; tiled && r < kRowGroup; ++r) std::memcpy(tile.rows[r], codes[r], kTileBytes);
    BytePanel panel = first;
    for (std::size_t p = 0; p < n_panels; ++p, panel = next(panel)) {
        if (tiled)
            multiply(panel.codes, kTileBytes / 4, tile, found);
        else
            multiply(panel.codes, panel.n_quads, codes, found);
        visit(p, PanelLanes(panel), found);
    }
}

void prune(const BytePanel& first_panel, const Pruning& s) {
    const std::size_t n_groups = kPanelWidth / first_panel.group_lanes;
    Lowest lowest[kRowGroup];
    for_each_group<kRowGroup>(
        s.n_rows, [&](std::size_t r) { return s.rows[r].codes; },
        [&](std::size_t first, std::size_t count, const auto& codes) {
            for (std::size_t i = 0; i < count; ++i) start(lowest[i]);
            for_each_panel(first_panel, s.n_panels, codes,
                           [&](std::size_t p, const PanelLanes& lanes, const Products& found) {
                               const std::size_t at = p * s.n_rows + first;
                               for (std::size_t i = 0; i < count; ++i)
                                   s.unpruned[at + i] =
                                       prune_row(lanes, s.rows[first + i], s.excluded[at + i], found.lanes[i],
                                                 lowest[i]);
                           });
            for (std::size_t i = 0; i < count; ++i)
                store_least(lowest[i], first_panel.group_lanes, s.least + (first + i) * n_groups);
        });
}

void guess(const BytePanel& first_panel, std::size_t n_panels, const std::uint8_t* const* rows,
           std::size_t n_rows, std::int32_t* nearest) {
    Guess guesses[kRowGroup];
    for_each_group<kRowGroup>(
        n_rows, [&](std::size_t r) { return rows[r]; },
        [&](std::size_t first, std::size_t count, const auto& codes) {
            for (std::size_t i = 0; i < count; ++i) start(guesses[i]);
            for_each_panel(first_panel, n_panels, codes,
                           [&](std::size_t p, const PanelLanes& lanes, const Products& found) {
                               for (std::size_t i = 0; i < count; ++i)
                                   guess_row(lanes, p, found.lanes[i], guesses[i]);
                           });
            for (std::size_t i = 0; i < count; ++i) nearest[first + i] = nearest_lane(guesses[i]);
        });
}

std::size_t list_candidates(const BytePanel& all, const ByteRow& row, const std::int32_t* products,
                            std::size_t n_lanes, std::uint32_t* lanes) {
    const auto interval = [&](std::size_t l) {
        const float score = all.constants[l] - all.scales[l] * static_cast<float>(products[l]);
        const float error = row.norm * all.norm_errors[l] + row.outside_norm * all.outside_errors[l];
        return Span{score - error, score + error};
    };
    float least[kPanelWidth];
    for (std::size_t l = 0; l < kPanelWidth; ++l) least[l] = interval(l).high;
    for (std::size_t first = kPanelWidth; first < n_lanes; first += kPanelWidth)
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const float high = interval(first + l).high;
            least[l] = high < least[l] ? high : least[l];
        }
    float limit = least[0];
    for (const float high : least) limit = high < limit ? high : limit;
    limit += row.limit;
    std::size_t n = 0;
    for (std::size_t first = 0; first < n_lanes; first += kPanelWidth) {
        std::int32_t near[kPanelWidth];
        std::int32_t any = 0;
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            near[l] = !(interval(first + l).low > limit);  // NaN stays
            any |= near[l];
        }
        for (std::size_t l = 0; any && l < kPanelWidth; ++l)
            if (near[l]) lanes[n++] = static_cast<std::uint32_t>(first + l);
    }
    return n;
}

inline std::int32_t total(Ints sum) {
#if KMOSAIC_LANES == 16
    return _mm512_reduce_add_epi32((__m512i)sum);
#else
    std::int32_t lanes[kLanes];
    std::memcpy(lanes, &sum, sizeof lanes);
    std::int32_t result = 0;
    for (const std::int32_t lane : lanes) result += lane;
    return result;
#endif
}

// Several pairs at a time, so that no product waits for the one before.
template <std::size_t Pairs>
inline void multiply_pairs(const BytePair* pairs, std::size_t n_bytes, std::int32_t* out) {
    Ints sums[Pairs] = {};
    for (std::size_t byte = 0; byte < n_bytes; byte += 4 * kLanes)
#pragma GCC unroll 8
        for (std::size_t p = 0; p < Pairs; ++p)
            sums[p] = dot4(sums[p], load_ints(pairs[p].row + byte), load_ints(pairs[p].codes + byte));
#pragma GCC unroll 8
    for (std::size_t p = 0; p < Pairs; ++p) out[p] = total(sums[p]);
}

// Rows are scattered in memory: prefetch them while those before are worked on.
constexpr std::size_t kPairsAhead = 24;

void dots(const BytePair* pairs, std::size_t n_pairs, std::size_t n_bytes, std::int32_t* out) {
    constexpr std::size_t kPairs = 4;
    std::size_t p = 0;
    for (; p + kPairs <= n_pairs; p += kPairs) {
        for (std::size_t a = p + kPairsAhead; a < p + kPairsAhead + kPairs && a < n_pairs; ++a)
            if (pairs[a].row != pairs[a - 1].row)
                for (std::size_t byte = 0; byte < n_bytes; byte += kByteBlock)
                    __builtin_prefetch(pairs[a].row + byte);
        multiply_pairs<kPairs>(pairs + p, n_bytes, out + p);
    }
    for (; p < n_pairs; ++p) multiply_pairs<1>(pairs + p, n_bytes, out + p);
}

std::int64_t squared_distance(const std::uint8_t* a, const std::uint8_t* b, std::size_t n) {
    std::int64_t total = 0;
    // Chunks whose sums stay within 32 bits.
    for (std::size_t start = 0; start < n; start += 32768) {
        const std::size_t end = start + 32768 < n ? start + 32768 : n;
        std::int32_t part = 0;
        for (std::size_t f = start; f < end; ++f) {
            const std::int32_t difference = a[f] - b[f];
            part += difference * difference;
        }
        total += part;
    }
    return total;
}

Quantised quantise(const std::int32_t* values, const std::int32_t* offsets, float inverse, std::size_t n,
                   std::uint8_t* codes) {
    float squares[kSums] = {};
    float errors[kSums] = {};
    for (std::size_t start = 0; start < n; start += kSums) {
        std::uint8_t chunk[kSums];  // since `codes`, of bytes, may alias anything
        for (std::size_t l = 0; l < kSums; ++l) {
            const auto value = static_cast<float>(values[start + l] - offsets[start + l]);
            const float z = value * inverse;
            const float size = __builtin_fabsf(z);
            const float within = __builtin_copysignf(size < 127 ? size : 127.0F, z);
            const auto code = static_cast<std::int32_t>(within + 128.5F);
            const float error = z - static_cast<float>(code - 128);
            chunk[l] = static_cast<std::uint8_t>(code);
            squares[l] += value * value;
            errors[l] += error * error;
        }
        std::memcpy(codes + start, chunk, kSums);
    }
    Quantised result{};
    for (std::size_t l = 0; l < kSums; ++l) {
        result.square += squares[l];
        result.error_square += errors[l];
    }
    return result;
}

// Partial sums: enough for the compiler to make a loop over vectors of them.
constexpr std::size_t kWideSums = 32;
using WideSums = double[kWideSums];

inline double total(const WideSums& sums) {
    double result = 0;
    for (const double sum : sums) result += sum;
    return result;
}

// Calls visit(f, l) for every feature f, l the partial sum it belongs to.
template <class Visit>
inline void for_each_feature(std::size_t n, Visit visit) {
    std::size_t f = 0;
    for (; f + kWideSums <= n; f += kWideSums)
        for (std::size_t l = 0; l < kWideSums; ++l) visit(f + l, l);
    for (std::size_t l = 0; f < n; ++f, ++l) visit(f, l);
}

// 0 if the code is out of range, because the step is 0 or infinite: the value then belongs to the error.
inline double code_within(double code) {
    return code > -128 && code < 128 ? code : 0.0;
}

void encode(const double* __restrict center, const std::uint8_t* __restrict mean, std::size_t n,
            std::int8_t* __restrict codes, std::int8_t* __restrict residual_codes, float* __restrict offsets,
            EncodedCenter* out) {
    WideSums largest = {};
    WideSums squares = {};
    for_each_feature(n, [&](std::size_t f, std::size_t l) {
        const double w = center[f] - mean[f];
        const double size = w < 0 ? -w : w;
        offsets[f] = static_cast<float>(w);
        largest[l] = size > largest[l] ? size : largest[l];
        squares[l] += w * w;
    });
    double most = 0;
    for (const double size : largest) most = size > most ? size : most;
    const double step = most > 0 ? most / kLargestCode : 1;
    const double inverse = 1 / step;
    // |e| is at most half a step (L10).
    const double residual_step = step / (2 * kLargestCode);
    const double residual_inverse = 1 / residual_step;
    WideSums errors = {};
    WideSums products = {};
    WideSums residual_errors = {};
    WideSums residual_products = {};
    for_each_feature(n, [&](std::size_t f, std::size_t l) {
        const double w = center[f] - mean[f];
        const double q = code_within((w * inverse + kRounder) - kRounder);
        const double e = w - step * q;
        const double r = code_within((e * residual_inverse + kRounder) - kRounder);
        const double f_error = e - residual_step * r;
        codes[f] = static_cast<std::int8_t>(static_cast<std::int32_t>(q));
        residual_codes[f] = static_cast<std::int8_t>(static_cast<std::int32_t>(r));
        errors[l] += e * e;
        products[l] += q * mean[f];
        residual_errors[l] += f_error * f_error;
        residual_products[l] += r * mean[f];
    });
    *out = {step,          total(squares),         total(errors),           total(products),
            residual_step, total(residual_errors), total(residual_products)};
}

void combine(const double* __restrict rows, const double* __restrict weights, std::size_t n_rows,
             std::size_t n, double* __restrict out) {
    for (std::size_t f = 0; f < n; f += kWideSums) {
        WideSums sums = {};
        for (std::size_t r = 0; r < n_rows; ++r)
            for (std::size_t l = 0; l < kWideSums; ++l) sums[l] += weights[r] * rows[r * n + f + l];
        std::memcpy(out + f, sums, sizeof sums);
    }
}

}  // namespace

extern const ByteKernels byte_kernels;
const ByteKernels byte_kernels = {
    kLargestCode,
    products,
    prune,
    guess,
    list_candidates,
    dots,
    squared_distance,
    quantise,
    flip,
    {halves_to_bytes<Float16>, halves_to_bytes<Bfloat16>},
    {to_bytes<std::uint8_t>, to_bytes<std::int8_t>, to_bytes<std::uint16_t>, to_bytes<std::int16_t>,
     to_bytes<Float16>, to_bytes<Bfloat16>, to_bytes<float>, to_bytes<double>},
    encode,
    combine};

}  // namespace kmosaic::KMOSAIC_ISA
