// What one value adds to the hash of its row: see core/hash_order.hpp.
//
// Internal linkage, as in double_double.hpp: every instruction set's object keeps a copy of its own.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/split_mix.hpp"

namespace kmosaic {
namespace {

// Of the value of a feature; -0 counts as 0.
[[maybe_unused]] inline std::uint64_t hashed_value(double value, std::size_t feature) {
    const auto bits = __builtin_bit_cast(std::uint64_t, value + 0.0);
    const std::uint64_t key = (feature + 1) * kSplitMixStep;
    const std::uint64_t folded = (bits ^ (bits >> 32) ^ key) * 0xff51afd7ed558ccdULL;
    return folded ^ (folded >> 29);
}

}  // namespace
}  // namespace kmosaic
