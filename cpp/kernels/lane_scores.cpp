// The float32 filter with rows in lanes, compiled once per instruction set: the loop is over centroids. Compiled
// with fused multiply-add where there is one; L5 holds with and without.
#include "kernels/halves.hpp"
#include "kernels/kernels.hpp"
#include "kernels/lane_best.hpp"
#include "kernels/lane_tile.hpp"
#include "kernels/lanes.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

// Registers of rows that are scored together with a group of centroids. With kLaneGroup centroids these are
// the accumulators: 16 of the 32 registers of AVX-512 and NEON, 8 of the 16 of AVX2 and SSE2. On Zen 4 2, 3
// and 4 were within 5% of each other: comparisons share the multiply-add units, and those are busy.
#if KMOSAIC_LANES == 16 || defined(KMOSAIC_ARM)
constexpr std::size_t kVectors = 4;
#else
constexpr std::size_t kVectors = 2;
#endif
constexpr std::size_t kPass = kVectors * kLanes;
static_assert(kLaneTile % kPass == 0);

// Adds the products of some features of kPass rows and a group of centroids; with the first group also the rows'
// squares, of which a loop of their own would wait for one addition after the other.
template <bool with_squares>
inline void add_products(const float* rows, std::size_t n_features, const float* coefficients,
                         Lanes (&scores)[kLaneGroup][kVectors], Lanes (&squares)[kVectors]) {
    for (std::size_t f = 0; f < n_features; ++f) {
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v) {
            const Lanes x = load(rows + f * kLaneTile + v * kLanes);
            if constexpr (with_squares) squares[v] += x * x;
#pragma GCC unroll 4
            for (std::size_t i = 0; i < kLaneGroup; ++i)
                scores[i][v] += x * splat(coefficients[f * kLaneGroup + i]);
        }
    }
}

inline void add_products(std::size_t group, const float* rows, std::size_t n_features,
                         const float* coefficients, Lanes (&scores)[kLaneGroup][kVectors],
                         Lanes (&squares)[kVectors]) {
    if (group == 0)
        add_products<true>(rows, n_features, coefficients, scores, squares);
    else
        add_products<false>(rows, n_features, coefficients, scores, squares);
}

inline void start(const float* norms, Lanes (&scores)[kLaneGroup][kVectors]) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kLaneGroup; ++i)
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v) scores[i][v] = splat(norms[i]);
}

bool label_pass(const float* rows, const LaneCenters& c, std::int32_t* labels, float* margins) {
    Best<kVectors> best;
    start(best);
    Lanes squares[kVectors] = {};
    for (std::size_t group = 0; group < c.n_groups; ++group) {
        Lanes scores[kLaneGroup][kVectors];
        start(c.norms + group * kLaneGroup, scores);
        add_products(group, rows, c.n_features, c.coefficients + group * c.n_features * kLaneGroup, scores,
                     squares);
        take_best(scores, group * kLaneGroup, best);
    }
    return decide(best, squares, c, labels, margins);
}

bool label_tile(const float* lanes, const LaneCenters& c, std::int32_t* labels, float* margins) {
    bool all_decided = true;
    for (std::size_t r = 0; r < kLaneTile; r += kPass)
        all_decided = label_pass(lanes + r, c, labels + r, margins ? margins + r : nullptr) && all_decided;
    return all_decided;
}

struct Output {
    std::int32_t* labels;
    std::uint32_t* undecided;
    float* margins;  // or null
};

// Rows of few features.
template <class T>
class TileLabeller {
  public:
    TileLabeller(const T* rows, const LaneCenters& c, float*) : c_(c), reader_(rows, c) {}

    bool operator()(std::size_t first, std::size_t count, std::int32_t* labels, float* margins) {
        return label_tile(reader_.lanes(first, count), c_, labels, margins);
    }

  private:
    const LaneCenters& c_;
    TileReader<T> reader_;
};

// Longer rows: a chunk of features of all rows of a tile at a time.
template <class T>
class ChunkLabeller {
  public:
    ChunkLabeller(const T* rows, const LaneCenters& c, float* scratch)
        : c_(c), reader_(rows, c, scratch), scores_(scratch + 2 * kLaneTile * kLaneChunk) {}

    bool operator()(std::size_t first, std::size_t count, std::int32_t* labels, float* margins) {
        if (c_.n_features <= kLaneChunk)
            return label_tile(reader_.lanes(first, count, 0, c_.n_features), c_, labels, margins);
        for (std::size_t i = 0; i < kLaneTile; ++i) squares_[i] = 0;
        for (std::size_t f = 0; f < c_.n_features;) {
            const std::size_t width = chunk_at(c_.n_features, f);
            const float* lanes = reader_.lanes(first, count, f, width);
            for (std::size_t r = 0; r < kLaneTile; r += kPass) add_chunk(lanes + r, r, f, width);
            f += width;
        }
        bool all_decided = true;
        for (std::size_t r = 0; r < kLaneTile; r += kPass)
            all_decided = label_pass_of_scores(r, labels + r, margins ? margins + r : nullptr) && all_decided;
        return all_decided;
    }

  private:
    void add_chunk(const float* lanes, std::size_t r, std::size_t f, std::size_t width) {
        Lanes squares[kVectors] = {};
        for (std::size_t group = 0; group < c_.n_groups; ++group) {
            Lanes scores[kLaneGroup][kVectors] = {};
            add_products(group, lanes, width, c_.coefficients + (group * c_.n_features + f) * kLaneGroup,
                         scores, squares);
            for (std::size_t i = 0; i < kLaneGroup; ++i) {
                float* total = scores_ + (group * kLaneGroup + i) * kLaneTile + r;
                for (std::size_t v = 0; v < kVectors; ++v) {
                    const Lanes before =
                        f ? load(total + v * kLanes) : splat(c_.norms[group * kLaneGroup + i]);
                    store(total + v * kLanes, before + scores[i][v]);
                }
            }
        }
        for (std::size_t v = 0; v < kVectors; ++v) {
            float* square = squares_ + r + v * kLanes;
            store(square, load(square) + squares[v]);
        }
    }

    bool label_pass_of_scores(std::size_t r, std::int32_t* labels, float* margins) const {
        Best<kVectors> best;
        start(best);
        for (std::size_t group = 0; group < c_.n_groups; ++group) {
            Lanes scores[kLaneGroup][kVectors];
            for (std::size_t i = 0; i < kLaneGroup; ++i)
                for (std::size_t v = 0; v < kVectors; ++v)
                    scores[i][v] = load(scores_ + (group * kLaneGroup + i) * kLaneTile + r + v * kLanes);
            take_best(scores, group * kLaneGroup, best);
        }
        Lanes squares[kVectors];
        for (std::size_t v = 0; v < kVectors; ++v) squares[v] = load(squares_ + r + v * kLanes);
        return decide(best, squares, c_, labels, margins);
    }

    const LaneCenters& c_;
    ChunkReader<T> reader_;
    float* scores_;  // [centroid][row of the tile]
    alignas(64) float squares_[kLaneTile];
};

template <class Labeller>
std::size_t label_rows(Labeller label, std::size_t n_rows, const Output& output) {
    alignas(64) std::int32_t last_labels[kLaneTile];
    alignas(64) float last_margins[kLaneTile];
    std::size_t n_undecided = 0;
    for (std::size_t first = 0; first < n_rows; first += kLaneTile) {
        const std::size_t count = n_rows - first < kLaneTile ? n_rows - first : kLaneTile;
        std::int32_t* own = count == kLaneTile ? output.labels + first : last_labels;
        float* margins = !output.margins      ? nullptr
                         : count == kLaneTile ? output.margins + first
                                              : last_margins;
        const bool all_decided = label(first, count, own, margins);
        for (std::size_t i = 0; own == last_labels && i < count; ++i) {
            output.labels[first + i] = own[i];
            if (margins) output.margins[first + i] = margins[i];
        }
        for (std::size_t i = 0; !all_decided && i < count; ++i)
            if (own[i] < 0) output.undecided[n_undecided++] = static_cast<std::uint32_t>(first + i);
    }
    return n_undecided;
}

template <class T>
std::size_t nearest(const void* data, std::size_t n_rows, const LaneCenters& c, std::int32_t* labels,
                    std::uint32_t* undecided, float* margins, float* scratch) {
    const T* rows = static_cast<const T*>(data);
    const Output output{labels, undecided, margins};
    if (c.n_features <= kMaxLowDimFeatures)
        return label_rows(TileLabeller<T>(rows, c, scratch), n_rows, output);
    return label_rows(ChunkLabeller<T>(rows, c, scratch), n_rows, output);
}

// Compares whole chunks, since in most steps most labels are unchanged.
std::size_t differences(const std::int32_t* a, const std::int32_t* b, std::size_t n, std::uint32_t* list) {
    constexpr std::size_t kChunk = 16;
    std::size_t output = 0;
    std::size_t start = 0;
    for (; start + kChunk <= n; start += kChunk) {
#if KMOSAIC_LANES == 16
        std::uint32_t unlike =
            _mm512_cmpneq_epi32_mask(_mm512_loadu_si512(a + start), _mm512_loadu_si512(b + start));
        for (; unlike; unlike &= unlike - 1)
            list[output++] =
                static_cast<std::uint32_t>(start + static_cast<std::size_t>(__builtin_ctz(unlike)));
#else
        std::int32_t unlike = 0;
        for (std::size_t i = start; i < start + kChunk; ++i) unlike |= a[i] ^ b[i];
        for (std::size_t i = start; unlike && i < start + kChunk; ++i) {
            list[output] = static_cast<std::uint32_t>(i);
            output += a[i] != b[i];
        }
#endif
    }
    for (std::size_t i = start; i < n; ++i) {
        list[output] = static_cast<std::uint32_t>(i);
        output += a[i] != b[i];
    }
    return output;
}

}  // namespace

extern const LaneKernels lane_kernels;
const LaneKernels lane_kernels = {
    {nearest<std::uint8_t>, nearest<std::int8_t>, nearest<std::uint16_t>, nearest<std::int16_t>,
     nearest<Float16>, nearest<Bfloat16>, nearest<float>, nearest<double>},
    differences};

}  // namespace kmosaic::KMOSAIC_ISA
