// Kernels of the float32 filter, compiled once per instruction set: KMOSAIC_ISA names it, KMOSAIC_LANES is
// its number of float32 lanes. Compiled with fused multiply-add where there is one; L3 holds with and
// without.
#include "kernels/halves.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

constexpr std::size_t kLanes = KMOSAIC_LANES;
constexpr std::size_t kVectors = kPanelWidth / kLanes;

// The register block keeps the multiply-add units busy without spilling: kRowGroup x kPanelGroup x 16 / lanes
// accumulators.
#if KMOSAIC_LANES == 16  // AVX-512: 32 registers, 24 accumulators
constexpr std::size_t kRowGroup = 8, kPanelGroup = 3;
#elif KMOSAIC_LANES == 8                          // AVX2: 16 registers, 12 accumulators
constexpr std::size_t kRowGroup = 6, kPanelGroup = 1;
#elif KMOSAIC_LANES == 4 && defined(KMOSAIC_ARM)  // NEON: 32 registers, 24 accumulators
constexpr std::size_t kRowGroup = 6, kPanelGroup = 1;
#elif KMOSAIC_LANES == 4                          // SSE2: 16 registers, 12 accumulators
constexpr std::size_t kRowGroup = 3, kPanelGroup = 1;
#else                                             // scalar: the compiler's own
constexpr std::size_t kRowGroup = 2, kPanelGroup = 1;
#endif

#if KMOSAIC_LANES == 1
using Vector = float;
#else
// Two steps, since Clang ignores `aligned` beside vector_size. Name the typedef wherever memory is meant: GCC
// drops `aligned` from a deduced type (auto, template arguments).
using Register = float __attribute__((vector_size(kLanes * sizeof(float))));
typedef Register Vector __attribute__((aligned(alignof(float)), may_alias));
static_assert(alignof(Vector) == alignof(float), "rows and panels are aligned to their type only");
#endif

template <class T>
float widen(const void* row, std::size_t n, const double* origin, double scale, float* out) {
    const T* x = static_cast<const T*>(row);
    float squares[kPanelWidth] = {};
    std::size_t f = 0;
    for (; f + kPanelWidth <= n; f += kPanelWidth) {
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const float value = static_cast<float>((static_cast<double>(x[f + l]) - origin[f + l]) * scale);
            out[f + l] = value;
            squares[l] += value * value;
        }
    }
    for (; f < n; ++f) {
        const float value = static_cast<float>((static_cast<double>(x[f]) - origin[f]) * scale);
        out[f] = value;
        squares[f % kPanelWidth] += value * value;
    }
    float total = 0;
    for (const float s : squares) total += s;
    return total;
}

// Rows x Panels accumulators stay in registers over one chunk of features. Each chunk is summed from zero and
// then added to the chunks before it, as L3 presumes.
template <std::size_t Rows, std::size_t Panels>
void multiply(const float* rows, std::size_t stride, const float* const* panels, std::size_t n, bool first,
              float* products, std::size_t product_stride) {
    Vector sums[Rows][Panels][kVectors] = {};
    for (std::size_t f = 0; f < n; ++f) {
        Vector centroid[Panels][kVectors];
#pragma GCC unroll 16
        for (std::size_t p = 0; p < Panels; ++p)
#pragma GCC unroll 16
            for (std::size_t v = 0; v < kVectors; ++v)
                centroid[p][v] = *reinterpret_cast<const Vector*>(panels[p] + f * kPanelWidth + v * kLanes);
#pragma GCC unroll 16
        for (std::size_t r = 0; r < Rows; ++r) {
            const Vector x = Vector{} + rows[r * stride + f];
#pragma GCC unroll 16
            for (std::size_t p = 0; p < Panels; ++p)
#pragma GCC unroll 16
                for (std::size_t v = 0; v < kVectors; ++v) sums[r][p][v] += x * centroid[p][v];
        }
    }
#pragma GCC unroll 16
    for (std::size_t r = 0; r < Rows; ++r)
#pragma GCC unroll 16
        for (std::size_t p = 0; p < Panels; ++p)
#pragma GCC unroll 16
            for (std::size_t v = 0; v < kVectors; ++v) {
                Vector* out =
                    reinterpret_cast<Vector*>(products + r * product_stride + p * kPanelWidth + v * kLanes);
                *out = first ? sums[r][p][v] : *out + sums[r][p][v];
            }
}

struct Block {
    const float* rows;
    std::size_t n_rows;
    std::size_t n_features;
    const float* panels;
    std::size_t n_panels;
    float* products;
};

template <std::size_t Panels>
void multiply_panels(const Block& b, std::size_t panel, std::size_t feature) {
    const std::size_t chunk = b.n_features - feature < kFeatureChunk ? b.n_features - feature : kFeatureChunk;
    const std::size_t stride = b.n_panels * kPanelWidth;
    const float* panels[Panels];
    for (std::size_t p = 0; p < Panels; ++p)
        panels[p] = b.panels + ((panel + p) * b.n_features + feature) * kPanelWidth;
    for (std::size_t r = 0; r < b.n_rows; r += kRowGroup)
        multiply<kRowGroup, Panels>(b.rows + r * b.n_features + feature, b.n_features, panels, chunk,
                                    feature == 0, b.products + r * stride + panel * kPanelWidth, stride);
}

void products(const float* rows, std::size_t n_rows, std::size_t n_features, const float* panels,
              std::size_t n_panels, float* products) {
    const Block block{rows, n_rows, n_features, panels, n_panels, products};
    for (std::size_t feature = 0; feature < n_features; feature += kFeatureChunk) {
        std::size_t panel = 0;
        for (; panel + kPanelGroup <= n_panels; panel += kPanelGroup)
            multiply_panels<kPanelGroup>(block, panel, feature);
        for (; panel < n_panels; ++panel) multiply_panels<1>(block, panel, feature);
    }
}

float scores(float* products, const float* norms, std::size_t n) {
    float smallest[kPanelWidth];
    for (std::size_t l = 0; l < kPanelWidth; ++l) smallest[l] = norms[l] - 2 * products[l];
    for (std::size_t j = 0; j < n; j += kPanelWidth) {
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const float score = norms[j + l] - 2 * products[j + l];
            products[j + l] = score;
            smallest[l] = score < smallest[l] ? score : smallest[l];
        }
    }
    float least = smallest[0];
    for (const float s : smallest) least = s < least ? s : least;
    return least;
}

std::size_t count(const float* scores, std::size_t n, float limit, std::size_t* last) {
    std::int32_t found[kPanelWidth] = {};
    std::int32_t where[kPanelWidth] = {};
    for (std::size_t j = 0; j < n; j += kPanelWidth) {
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const bool within = scores[j + l] <= limit;
            found[l] += within;
            where[l] = within ? static_cast<std::int32_t>(j + l) : where[l];
        }
    }
    std::int32_t total = 0;
    std::int32_t highest = 0;
    for (std::size_t l = 0; l < kPanelWidth; ++l) {
        total += found[l];
        highest = where[l] > highest ? where[l] : highest;
    }
    *last = static_cast<std::size_t>(highest);
    return static_cast<std::size_t>(total);
}

}  // namespace

extern const Float32Kernels float32_kernels;
const Float32Kernels float32_kernels = {
    kRowGroup,
    {widen<std::uint8_t>, widen<std::int8_t>, widen<std::uint16_t>, widen<std::int16_t>, widen<Float16>,
     widen<Bfloat16>, widen<float>, widen<double>},
    products,
    scores,
    count,
};

}  // namespace kmosaic::KMOSAIC_ISA
