// Finds the boxes or points of a node that candidates may be within reach of; the entries are the lanes.
// Compiled with fused multiply-add where there is one; L23 holds with and without.
#include "kernels/kernels.hpp"
#include "kernels/lanes.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

// Candidates compared at a time, so that no sum waits for the one before.
constexpr std::size_t kTogether = 4;

// Compilers drop the subtraction of zeros, but compute the addition in `splat`.
inline Lanes broadcast(float x) {
    return x - Lanes{};
}

struct Points {
    static constexpr std::size_t kStride = kBoxFanOut;
    static Lanes difference(const float* feature, Lanes candidate) { return load(feature) - candidate; }
};

struct Boxes {
    static constexpr std::size_t kStride = 2 * kBoxFanOut;
    static Lanes difference(const float* feature, Lanes candidate) {
        return greatest(greatest(load(feature) - candidate, candidate - load(feature + kBoxFanOut)), Lanes{});
    }
};

struct Node {
    const float* entries;
    const float* reaches;
    std::size_t n_features;
};

// Adds the bits of N candidates to `near`, from lane `first` on.
template <class Entries, std::size_t N>
inline void compare(const Node& node, std::size_t first, const BoxCandidates& candidates,
                    const std::uint32_t* numbers, IntLanes& near) {
    Lanes sums[N] = {};
    const float* values[N];
    for (std::size_t c = 0; c < N; ++c) values[c] = candidates.values + numbers[c] * node.n_features;
    for (std::size_t f = 0; f < node.n_features; ++f) {
#pragma GCC unroll 4
        for (std::size_t c = 0; c < N; ++c) {
            const Lanes difference =
                Entries::difference(node.entries + f * Entries::kStride + first, broadcast(values[c][f]));
            sums[c] += difference * difference;
        }
    }
#pragma GCC unroll 4
    for (std::size_t c = 0; c < N; ++c) {
        const Lanes reach = load(node.reaches + first) + broadcast(candidates.slacks[numbers[c]]);
        const Lanes limit = reach * greatest(reach, Lanes{} - reach);
        near |= choose(below(limit, sums[c]), splat(std::int32_t{0}),
                       splat(static_cast<std::int32_t>(1U << numbers[c])));
    }
}

template <class Entries>
void near_entries(const float* entries, const float* reaches, std::size_t n_features,
                  const BoxCandidates& candidates, std::uint32_t* near) {
    const Node node{entries, reaches, n_features};
    std::uint32_t numbers[32];
    std::size_t n = 0;
    for (std::uint32_t chosen = candidates.chosen; chosen; chosen &= chosen - 1)
        numbers[n++] = static_cast<std::uint32_t>(__builtin_ctz(chosen));
    for (std::size_t first = 0; first < kBoxFanOut; first += kLanes) {
        IntLanes bits = splat(std::int32_t{0});
        std::size_t c = 0;
        for (; c + kTogether <= n; c += kTogether)
            compare<Entries, kTogether>(node, first, candidates, numbers + c, bits);
        for (; c < n; ++c) compare<Entries, 1>(node, first, candidates, numbers + c, bits);
        store(reinterpret_cast<std::int32_t*>(near) + first, bits);
    }
}

}  // namespace

extern const BoxKernels box_kernels;
const BoxKernels box_kernels = {near_entries<Points>, near_entries<Boxes>};

}  // namespace kmosaic::KMOSAIC_ISA
