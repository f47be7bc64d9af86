// The float32 filter for rows of few features, compiled once per instruction set: the lanes are rows, the
// loop is over centroids. Compiled with fused multiply-add where there is one; L5 holds with and without.
#include "kernels/kernels.hpp"
#include "kernels/lanes.hpp"
#include "kernels/low_dim_tile.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

// Registers of rows that are scored together with a group of centroids. With kLowDimGroup centroids these are
// the accumulators: 16 of the 32 registers of AVX-512 and NEON, 8 of the 16 of AVX2 and SSE2. On Zen 4 2, 3
// and 4 were within 5% of each other: comparisons share the multiply-add units, and those are busy.
#if KMOSAIC_LANES == 16 || defined(KMOSAIC_ARM)
constexpr std::size_t kVectors = 4;
#else
constexpr std::size_t kVectors = 2;
#endif
constexpr std::size_t kPass = kVectors * kLanes;
static_assert(kLowDimTile % kPass == 0);

constexpr float kInfinity = __builtin_inff();
// A row whose slack is not below this stays undecided: its scores might overflow (L5).
constexpr float kMaxSlack = 1e30F;

struct Best {
    Lanes score[kVectors];
    Lanes second[kVectors];
    IntLanes label[kVectors];
};

// Scores of one group of centroids, for kPass rows.
inline void score_group(const float* rows, const LowDimCenters& c, std::size_t group, Best& best) {
    Lanes scores[kLowDimGroup][kVectors];
    const float* coefficients = c.coefficients + group * c.n_features * kLowDimGroup;
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kLowDimGroup; ++i)
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v) scores[i][v] = splat(c.norms[group * kLowDimGroup + i]);
    for (std::size_t f = 0; f < c.n_features; ++f) {
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v) {
            const Lanes x = load(rows + f * kLowDimTile + v * kLanes);
#pragma GCC unroll 4
            for (std::size_t i = 0; i < kLowDimGroup; ++i)
                scores[i][v] += x * splat(coefficients[f * kLowDimGroup + i]);
        }
    }
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kLowDimGroup; ++i) {
            const Lanes score = scores[i][v];
            const auto j = static_cast<std::int32_t>(group * kLowDimGroup + i);
            best.label[v] = choose(below(score, best.score[v]), splat(j), best.label[v]);
            best.second[v] = least(best.second[v], greatest(best.score[v], score));
            best.score[v] = least(best.score[v], score);
        }
    }
}

// Labels kPass rows, -1 for undecided ones, and computes the parts of their margins unless null. Returns
// whether all are decided.
bool label_pass(const float* rows, const LowDimCenters& c, std::int32_t* labels, float* margins) {
    Best best;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
        best.score[v] = best.second[v] = splat(kInfinity);
        best.label[v] = splat(std::int32_t{0});
    }
    for (std::size_t group = 0; group < c.n_groups; ++group) score_group(rows, c, group, best);
    bool all_decided = true;
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
        Lanes square{};
        for (std::size_t f = 0; f < c.n_features; ++f) {
            const Lanes x = load(rows + f * kLowDimTile + v * kLanes);
            square += x * x;
        }
        const Lanes slack = square * c.row_factor + c.constant;
        const Mask decided =
            both(below(best.score[v] + slack, best.second[v]), below(slack, splat(kMaxSlack)));
        store(labels + v * kLanes, choose(decided, best.label[v], splat(std::int32_t{-1})));
        all_decided = all_decided && all(decided);
        if (margins) {
            store(margins + v * kLanes, best.second[v] - best.score[v] - slack - slack);
            store(margins + kLowDimTile + v * kLanes,
                  best.second[v] + best.score[v] + 2 * square + 4 * slack);
        }
    }
    return all_decided;
}

// (second - best) / sqrt(2 (second + best)) of squared distances, from below (L6).
void finish_margins(const float* parts, std::size_t n, float* margins) {
    for (std::size_t i = 0; i < n; ++i) {
        const float lead = parts[i] > 0 ? parts[i] : 0.0F;
        const float both_squares = parts[kLowDimTile + i];
        const float margin = lead / __builtin_sqrtf(2 * both_squares) * 0.9999F;
        // With one centroid the margin is infinite.
        margins[i] = both_squares > 0 && margin < kMaxSlack ? margin : 0.0F;
    }
}

bool label_tile(const float* lanes, const LowDimCenters& c, std::int32_t* labels, float* parts) {
    bool all_decided = true;
    for (std::size_t r = 0; r < kLowDimTile; r += kPass)
        all_decided = label_pass(lanes + r, c, labels + r, parts ? parts + r : nullptr) && all_decided;
    return all_decided;
}

template <class T>
std::size_t nearest(const void* rows, std::size_t n_rows, const LowDimCenters& c, std::int32_t* labels,
                    std::uint32_t* undecided, float* margins) {
    TileReader<T> reader(static_cast<const T*>(rows), c);
    alignas(64) std::int32_t last_labels[kLowDimTile];
    alignas(64) float parts[2 * kLowDimTile];
    std::size_t n_undecided = 0;
    for (std::size_t first = 0; first < n_rows; first += kLowDimTile) {
        const std::size_t count = n_rows - first < kLowDimTile ? n_rows - first : kLowDimTile;
        std::int32_t* own = count == kLowDimTile ? labels + first : last_labels;
        const bool all_decided = label_tile(reader.lanes(first, count), c, own, margins ? parts : nullptr);
        if (margins) finish_margins(parts, count, margins + first);
        for (std::size_t i = 0; own == last_labels && i < count; ++i) labels[first + i] = own[i];
        for (std::size_t i = 0; !all_decided && i < count; ++i)
            if (own[i] < 0) undecided[n_undecided++] = static_cast<std::uint32_t>(first + i);
    }
    return n_undecided;
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

extern const LowDimKernels low_dim_kernels;
const LowDimKernels low_dim_kernels = {
    {nearest<std::uint8_t>, nearest<std::uint16_t>, nearest<float>, nearest<double>}, differences};

}  // namespace kmosaic::KMOSAIC_ISA
