// The image distortion model on gradients of a few bits, compiled once per instruction set. Integers alone:
// the same sums everywhere. The bounds that keep 16 bits enough are in kernels.hpp.
//
// A block of columns is processed from top to bottom, two rows a step, with all shifts in each step: the sum
// so far is then known after each step, and only two registers per shift are carried from one step to the
// next.
#include <algorithm>
#include <cstring>

#include "kernels/gradient_vectors.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

static_assert(kUint16s <= kDistortionBlock);
// Sums over three columns are complete in all lanes but two.
constexpr std::size_t kOutputs = kUint16s - 2;

// Returns whether the row has a nonzero gradient. The last sixteen pixels may overlap those before.
inline bool interleave_row(const std::int8_t* across, const std::int8_t* down, std::int8_t* to,
                           std::size_t width) {
    Sixteen any = {};
    for (std::size_t j = 0; j + kTogether <= width;) {
        Sixteen a, d;
        std::memcpy(&a, across + j, sizeof a);
        std::memcpy(&d, down + j, sizeof d);
        any |= a | d;
        interleave(a, d, to + 2 * j);
        const std::size_t left = width - j - kTogether;
        j += left == 0 || left >= kTogether ? kTogether : left;
    }
    if (width < kTogether) {
        for (std::size_t j = 0; j < width; ++j) {
            to[2 * j] = across[j];
            to[2 * j + 1] = down[j];
            any[0] |= across[j] | down[j];
        }
    }
    std::uint64_t halves[2];
    std::memcpy(halves, &any, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

void pad(const std::int8_t* gradients, const DistortionShape& shape, PaddedGradients* padded) {
    const std::int8_t* down = gradients + shape.height * shape.width;
    std::int8_t* to = padded->data + shape.border() * (shape.stride() + kGradientPlanes);
    padded->first = shape.height;
    padded->end = 0;
    for (std::size_t i = 0; i < shape.height; ++i) {
        const std::size_t at = i * shape.width;
        if (!interleave_row(gradients + at, down + at, to + i * shape.stride(), shape.width)) continue;
        padded->first = std::min(padded->first, i);
        padded->end = i + 1;
    }
}

// The rows that can contribute: where the image's context is blank, and a blank context of the reference is
// in reach above or below all its gradients, the distortion is 0.
struct Span {
    Span(const PaddedGradients& image, const PaddedGradients& reference, const DistortionShape& shape) {
        const auto height = static_cast<std::ptrdiff_t>(shape.height);
        const auto warp = static_cast<std::ptrdiff_t>(shape.warp);
        const auto at = [](std::size_t row) { return static_cast<std::ptrdiff_t>(row); };
        first = std::max<std::ptrdiff_t>(0, std::min(at(image.first) - 1, at(reference.first) + warp - 1));
        end = std::min(height, std::max(at(image.end) + 1, at(reference.end) - warp + 1));
    }

    std::ptrdiff_t first;
    std::ptrdiff_t end;
};

// A block of columns, at one row: the row above the first of a step.
struct Place {
    const std::int8_t* image;
    const std::int8_t* reference;
    std::size_t stride;
    std::size_t n_shifts;  // a side
};

// For each shift, the squared differences in this row, and their sum with those in the row above.
void begin(const Place& at, std::uint16_t* carried) {
    const Bytes above = load(at.image - at.stride);
    const Bytes own = load(at.image);
    for (std::size_t dy = 0; dy < at.n_shifts; ++dy)
        for (std::size_t dx = 0; dx < at.n_shifts; ++dx) {
            const std::int8_t* to = at.reference + dy * at.stride + 2 * dx;
            const Uint16s last = squares(own, load(to));
            store(carried, last);
            store(carried + kUint16s, plus(squares(above, load(to - at.stride)), last));
            carried += 2 * kUint16s;
        }
}

inline Uint16s over_columns(Uint16s x) {
    const Uint16s after = next(x);
    return plus(plus(x, after), next(after));
}

struct TwoRows {
    Uint16s upper;
    Uint16s lower;
};

// The least of all shifts, for two rows.
inline TwoRows step(const Place& at, std::uint16_t* carried) {
    TwoRows least_of{~Uint16s{}, ~Uint16s{}};
    const Bytes upper = load(at.image + at.stride);
    const Bytes lower = load(at.image + 2 * at.stride);
    for (std::size_t dy = 0; dy < at.n_shifts; ++dy) {
        const std::int8_t* to = at.reference + (dy + 1) * at.stride;
        for (std::size_t dx = 0; dx < at.n_shifts; ++dx) {
            const Uint16s first = squares(upper, load(to + 2 * dx));
            const Uint16s second = squares(lower, load(to + at.stride + 2 * dx));
            const Uint16s both = plus(first, second);
            least_of.upper = least(least_of.upper, over_columns(plus(load(carried + kUint16s), first)));
            least_of.lower = least(least_of.lower, over_columns(plus(load(carried), both)));
            store(carried, second);
            store(carried + kUint16s, both);
            carried += 2 * kUint16s;
        }
    }
    return least_of;
}

// The first n lanes.
inline Uint16s leading(std::size_t n) {
    std::uint16_t lanes[kUint16s] = {};
    std::fill(lanes, lanes + n, std::uint16_t{0xffff});
    return load(lanes);
}

inline std::uint64_t sum(const TwoRows& rows, Uint16s kept) {
    using Pairs = std::uint32_t __attribute__((vector_size(2 * kUint16s)));
    const Pairs upper = (Pairs)(rows.upper & kept);
    const Pairs lower = (Pairs)(rows.lower & kept);
    const Pairs both = (upper & 0xffff) + (upper >> 16) + (lower & 0xffff) + (lower >> 16);
    std::uint32_t total = 0;
    for (std::size_t i = 0; i < kUint16s / 2; ++i) total += both[i];
    return total;
}

std::uint64_t distortion(const PaddedGradients& image, const PaddedGradients& reference,
                         const DistortionShape& shape, std::uint16_t* carried, std::uint64_t limit) {
    const Span rows(image, reference, shape);
    const std::size_t stride = shape.stride();
    std::uint64_t total = 0;
    for (std::size_t j = 0; j < shape.width && rows.first < rows.end; j += kOutputs) {
        const Uint16s kept = leading(std::min(kOutputs, shape.width - j));
        const auto row = static_cast<std::size_t>(rows.first);
        const std::size_t corner = row * stride + 2 * j;
        Place at{image.data + corner + shape.border() * stride + 2 * shape.warp,
                 reference.data + corner + stride, stride, 2 * shape.warp + 1};
        begin(at, carried);
        for (std::ptrdiff_t i = rows.first; i < rows.end; i += 2) {
            TwoRows found = step(at, carried);
            if (i + 1 == rows.end) found.lower = Uint16s{};
            total += sum(found, kept);
            if (total > limit) return total;
            at.image += 2 * stride;
            at.reference += 2 * stride;
        }
    }
    return total;
}

}  // namespace

extern const DistortionKernels distortion_kernels;
const DistortionKernels distortion_kernels = {pad, distortion};

}  // namespace kmosaic::KMOSAIC_ISA
