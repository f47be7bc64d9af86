// The image distortion model on gradients of a few bits, compiled once per instruction set. Integers alone: the same
// sums everywhere. The bounds that keep 16 bits enough are in kernels.hpp.
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

#if KMOSAIC_LANES == 1
constexpr std::size_t kWords = 1;
using Words = std::uint16_t;
using LooseWords = std::uint16_t;
#else
// 256 bits even where there are 512: loads that begin anywhere cross fewer cache lines (1.9 against 2.6 us a pair, Zen 4).
constexpr std::size_t kWords = KMOSAIC_LANES >= 8 ? 16 : 8;
using Words = std::uint16_t __attribute__((vector_size(kWords * sizeof(std::uint16_t))));
typedef Words LooseWords __attribute__((aligned(alignof(std::uint16_t)), may_alias));
#endif
static_assert(kDistortionBlock % kWords == 0);

inline Words load(const std::uint16_t* p) {
    return *reinterpret_cast<const LooseWords*>(p);
}

inline void store(std::uint16_t* p, Words x) {
    *reinterpret_cast<LooseWords*>(p) = x;
}

inline Words times(Words a, Words b) {
    return static_cast<Words>(a * b);
}

inline Words least(Words a, Words b) {
    return a < b ? a : b;
}

// The shape's sizes as constants of a call: stores might otherwise change them, as far as compilers know.
struct Layout {
    explicit Layout(const DistortionShape& shape)
        : height(shape.height),
          columns(shape.columns()),
          stride(shape.stride()),
          plane(shape.plane()),
          sum_stride(shape.sum_stride()),
          sum_plane(shape.height * shape.sum_stride()) {}

    const std::size_t height;
    const std::size_t columns;
    const std::size_t stride;
    const std::size_t plane;
    const std::size_t sum_stride;
    const std::size_t sum_plane;
};

// Gradients are kept modulo 2^16: differences, and their squares below 2^16, come out right.
void pad(const std::int8_t* gradients, const DistortionShape& shape, std::uint16_t* padded) {
    for (std::size_t plane = 0; plane < kGradientPlanes; ++plane)
        for (std::size_t i = 0; i < shape.height; ++i) {
            const std::int8_t* from = gradients + (plane * shape.height + i) * shape.width;
            std::uint16_t* to =
                padded + plane * shape.plane() + (i + shape.border()) * shape.stride() + shape.border();
            for (std::size_t j = 0; j < shape.width; ++j) to[j] = static_cast<std::uint16_t>(from[j]);
        }
}

// Squared differences of gradients at some shifts sideways, summed over three rows, for kWords columns.
template <std::size_t Shifts>
inline void sum_rows(const std::uint16_t* image, const std::uint16_t* reference, const Layout& at,
                     std::uint16_t* sums) {
    Words before[Shifts] = {};
    Words last[Shifts] = {};
    for (std::size_t i = 0; i < at.height + 2; ++i) {
        const Words across = load(image);
        const Words down = load(image + at.plane);
#pragma GCC unroll 8
        for (std::size_t s = 0; s < Shifts; ++s) {
            const Words dx = static_cast<Words>(across - load(reference + s));
            const Words dy = static_cast<Words>(down - load(reference + at.plane + s));
            const Words squares = static_cast<Words>(times(dx, dx) + times(dy, dy));
            if (i >= 2) store(sums + s * at.sum_plane, static_cast<Words>(before[s] + squares));
            before[s] = static_cast<Words>(last[s] + squares);
            last[s] = squares;
        }
        if (i >= 2) sums += at.sum_stride;
        image += at.stride;
        reference += at.stride;
    }
}

// Over three columns too; the least of all shifts stays.
template <std::size_t Shifts>
inline void keep_least(const std::uint16_t* sums, const Layout& at, std::uint16_t* best) {
    for (std::size_t i = 0; i < at.height; ++i) {
        for (std::size_t j = 0; j < at.columns; j += kWords) {
            Words found = load(best + j);
#pragma GCC unroll 8
            for (std::size_t s = 0; s < Shifts; ++s) {
                const std::uint16_t* own = sums + s * at.sum_plane + j;
                found = least(found, static_cast<Words>(load(own) + load(own + 1) + load(own + 2)));
            }
            store(best + j, found);
        }
        sums += at.sum_stride;
        best += at.columns;
    }
}

template <std::size_t Shifts>
inline void try_shifts(const std::uint16_t* image, const std::uint16_t* reference, const Layout& at,
                       std::uint16_t* work) {
    std::uint16_t* best = work + kShiftsTogether * at.sum_plane;
    for (std::size_t j = 0; j < at.columns; j += kWords)
        sum_rows<Shifts>(image + j, reference + j, at, work + j);
    keep_least<Shifts>(work, at, best);
}

std::uint64_t total(const std::uint16_t* best, const DistortionShape& shape) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < shape.height; ++i) {
        std::uint32_t row = 0;  // 2^16 columns at most
        for (std::size_t j = 0; j < shape.width; ++j) row += best[i * shape.columns() + j];
        sum += row;
    }
    return sum;
}

std::uint64_t distortion(const std::uint16_t* image, const std::uint16_t* reference,
                         const DistortionShape& shape, std::uint16_t* work) {
    const Layout at(shape);
    std::uint16_t* best = work + kShiftsTogether * at.sum_plane;
    for (std::size_t x = 0; x < at.height * at.columns; ++x) best[x] = 0xffff;
    const std::size_t n_shifts = 2 * shape.warp + 1;
    const std::uint16_t* own = image + shape.warp * (at.stride + 1);
    for (std::size_t dy = 0; dy < n_shifts; ++dy) {
        const std::uint16_t* row = reference + dy * at.stride;
        std::size_t dx = 0;
        for (; dx + kShiftsTogether <= n_shifts; dx += kShiftsTogether)
            try_shifts<kShiftsTogether>(own, row + dx, at, work);
        for (; dx < n_shifts; ++dx) try_shifts<1>(own, row + dx, at, work);
    }
    return total(best, shape);
}

}  // namespace

extern const DistortionKernels distortion_kernels;
const DistortionKernels distortion_kernels = {pad, distortion};

}  // namespace kmosaic::KMOSAIC_ISA
