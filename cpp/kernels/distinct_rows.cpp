// Kernels on rows of at most 24 bits: a row is a number (its key), the set of rows present a bitmap. Compiled
// once per instruction set because of the instructions that count bits.
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

// Rows of NBytes uint8 values.
template <std::size_t NBytes>
struct Bytes {
    static std::size_t key(const void* rows, std::size_t i) {
        const std::uint8_t* x = static_cast<const std::uint8_t*>(rows) + NBytes * i;
        std::size_t key = 0;
        for (std::size_t f = 0; f < NBytes; ++f) key = key << 8 | x[f];
        return key;
    }
};

struct Uint16 {
    static std::size_t key(const void* rows, std::size_t i) {
        return static_cast<const std::uint16_t*>(rows)[i];
    }
};

// Threads share the bitmap. Most keys are set already, and reading is cheaper than an atomic operation.
template <class DistinctRow>
std::size_t mark(const void* rows, std::size_t n, std::uint64_t* bitmap) {
    std::size_t n_new = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t key = DistinctRow::key(rows, i);
        const std::uint64_t bit = std::uint64_t{1} << (key % 64);
        if (!(__atomic_load_n(&bitmap[key / 64], __ATOMIC_RELAXED) & bit))
            n_new += !(__atomic_fetch_or(&bitmap[key / 64], bit, __ATOMIC_RELAXED) & bit);
    }
    return n_new;
}

std::uint32_t rank_keys(const std::uint64_t* bitmap, std::size_t n, std::uint32_t* ranks) {
    std::uint32_t n_before = 0;
    for (std::size_t i = 0; i < n; ++i) {
        ranks[i] = n_before;
        n_before += static_cast<std::uint32_t>(__builtin_popcountll(bitmap[i]));
    }
    return n_before;
}

inline std::size_t rank(const KeySet& set, std::size_t key) {
    const std::uint64_t below = set.bitmap[key / 64] & ((std::uint64_t{1} << (key % 64)) - 1);
    return set.ranks[key / 64] + static_cast<std::size_t>(__builtin_popcountll(below));
}

template <class DistinctRow>
void count(const void* rows, std::size_t n, const KeySet& set, std::uint32_t* counts) {
    for (std::size_t i = 0; i < n; ++i) ++counts[rank(set, DistinctRow::key(rows, i))];
}

template <class DistinctRow>
void look_up(const void* rows, std::size_t n, const KeySet& set, const std::int32_t* values,
             std::int32_t* out) {
    for (std::size_t i = 0; i < n; ++i) out[i] = values[rank(set, DistinctRow::key(rows, i))];
}

}  // namespace

extern const DistinctRowKernels distinct_row_kernels;
const DistinctRowKernels distinct_row_kernels = {
    {mark<Bytes<1>>, mark<Bytes<2>>, mark<Bytes<3>>, mark<Uint16>},
    rank_keys,
    {count<Bytes<1>>, count<Bytes<2>>, count<Bytes<3>>, count<Uint16>},
    {look_up<Bytes<1>>, look_up<Bytes<2>>, look_up<Bytes<3>>, look_up<Uint16>},
};

}  // namespace kmosaic::KMOSAIC_ISA
