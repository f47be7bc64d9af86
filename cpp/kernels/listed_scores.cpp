// Scores of rows in lanes with some of the centroids, which a list names, compiled once per instruction set. Compiled
// with fused multiply-add where there is one; L5 holds with and without.
#include "kernels/halves.hpp"
#include "kernels/kernels.hpp"
#include "kernels/lane_best.hpp"
#include "kernels/lane_tile.hpp"
#include "kernels/lanes.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

// So many centroids and registers of rows are scored together: with one register there are just enough accumulators to
// hide the latency of multiply-adds, with two, where there are the registers, centroids are loaded half as often.
constexpr std::size_t kWidth = kListGroup;
#if KMOSAIC_LANES == 16 || defined(KMOSAIC_ARM)
constexpr std::size_t kVectors = 2;
#else
constexpr std::size_t kVectors = 1;
#endif

// The features of a tile's rows, [feature][row].
template <class T>
void read(const void* data, const std::uint32_t* rows, std::size_t count, const LaneCenters& c,
          float* scratch, float* lanes) {
    ChunkReader<T> reader(static_cast<const T*>(data), c, scratch);
    for (std::size_t f = 0; f < c.n_features;) {
        const std::size_t width = chunk_at(c.n_features, f);
        reader.read([&](std::size_t r) { return std::size_t{rows[r]}; }, count, f, width,
                    lanes + f * kLaneTile);
        f += width;
    }
}

// L25
void own_distances(const float* lanes, std::size_t count, std::size_t n_features, const OwnCenter& center,
                   float* distances, float* squares) {
    for (std::size_t r = 0; r < count; r += kLanes) {
        Lanes distance{};
        Lanes square{};
        for (std::size_t f = 0; f < n_features; ++f) {
            const Lanes x = load(lanes + f * kLaneTile + r);
            const Lanes difference = x + splat(0.5F * center.coefficients[f]);
            distance += difference * difference;
            square += x * x;
        }
        store(distances + r, root(distance) * center.growth + root(square) * center.row_error + center.error);
        store(squares + r, square);
    }
}

template <std::size_t n>
inline void add_products(const float* rows, std::size_t n_features, const float* const (&centers)[kWidth],
                         Lanes (&scores)[kWidth][n]) {
    for (std::size_t f = 0; f < n_features; ++f) {
#pragma GCC unroll 2
        for (std::size_t v = 0; v < n; ++v) {
            const Lanes x = load(rows + f * kLaneTile + v * kLanes);
#pragma GCC unroll 8
            for (std::size_t i = 0; i < kWidth; ++i) scores[i][v] += x * splat(centers[i][f]);
        }
    }
}

template <std::size_t n>
bool nearest_of_pass(const float* lanes, const float* squares, const ListedCenters& c, const CenterList& list,
                     std::int32_t* labels, float* margins) {
    Best<n> best;
    start(best);
    const std::size_t d = c.lanes.n_features;
    for (std::size_t at = 0; at < list.n; at += kWidth) {
        const float* centers[kWidth];
        Lanes scores[kWidth][n];
#pragma GCC unroll 8
        for (std::size_t i = 0; i < kWidth; ++i) {
            centers[i] = c.rows + list.centroids[at + i] * d;
#pragma GCC unroll 2
            for (std::size_t v = 0; v < n; ++v) scores[i][v] = splat(c.norms[list.centroids[at + i]]);
        }
        if (d <= kLaneChunk) {
            add_products(lanes, d, centers, scores);
        } else {
            for (std::size_t f = 0; f < d;) {
                const std::size_t width = chunk_at(d, f);
                Lanes sums[kWidth][n] = {};
                add_products(lanes + f * kLaneTile, width, centers, sums);
                for (std::size_t i = 0; i < kWidth; ++i) {
                    for (std::size_t v = 0; v < n; ++v) scores[i][v] += sums[i][v];
                    centers[i] += width;
                }
                f += width;
            }
        }
        take_best(scores, at, best);
    }
    Lanes square[n];
    for (std::size_t v = 0; v < n; ++v) square[v] = load(squares + v * kLanes);
    return decide(best, square, c.lanes, labels, margins);
}

bool nearest(const float* lanes, std::size_t count, const TileDistances& tile, const ListedCenters& c,
             const CenterList& list, std::int32_t* labels, float* margins) {
    bool all_decided = true;
    const auto label = [&](auto pass, std::size_t r) {
        all_decided = pass(lanes + r, tile.squares + r, c, list, labels + r, margins + r) && all_decided;
    };
    for (std::size_t r = 0; r < count; r += kVectors * kLanes) {
        if (kVectors > 1 && r + kLanes >= count)
            label(nearest_of_pass<1>, r);
        else
            label(nearest_of_pass<kVectors>, r);
    }
    for (std::size_t r = 0; r < count; r += kLanes) {
        const Lanes beyond = (splat(tile.radius) - 2 * load(tile.distances + r)) * (1 - 0x1p-22F);
        store(margins + r, least(load(margins + r), greatest(beyond, Lanes{})));
    }
    return all_decided;
}

// The scores are norms - 2 products.
std::size_t below(const float* products, const float* norms, std::size_t n, float limit,
                  std::uint32_t* list) {
    std::size_t n_listed = 0;
    std::size_t j = 0;
#if KMOSAIC_LANES == 16
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; j + 16 <= n; j += 16) {
        const __mmask16 in = _mm512_cmp_ps_mask(
            _mm512_fnmadd_ps(_mm512_set1_ps(2), _mm512_loadu_ps(products + j), _mm512_loadu_ps(norms + j)),
            _mm512_set1_ps(limit), _CMP_LE_OQ);
        const __m512i numbers = _mm512_add_epi32(steps, _mm512_set1_epi32(static_cast<int>(j)));
        _mm512_storeu_si512(list + n_listed, _mm512_maskz_compress_epi32(in, numbers));
        n_listed += static_cast<std::size_t>(__builtin_popcount(in));
    }
#endif
    for (; j < n; ++j) {
        list[n_listed] = static_cast<std::uint32_t>(j);
        n_listed += norms[j] - 2 * products[j] <= limit;
    }
    return n_listed;
}

}  // namespace

extern const ListedKernels listed_kernels;
const ListedKernels listed_kernels = {
    {read<std::uint8_t>, read<std::int8_t>, read<std::uint16_t>, read<std::int16_t>, read<Float16>,
     read<Bfloat16>, read<float>, read<double>},
    own_distances,
    nearest,
    below};

}  // namespace kmosaic::KMOSAIC_ISA
