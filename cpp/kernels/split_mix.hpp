// SplitMix64: Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
//
// Internal linkage, as in double_double.hpp: every instruction set's object keeps a copy of its own.
#pragma once

#include <cstdint>

namespace kmosaic {
namespace {

constexpr std::uint64_t kSplitMixStep = 0x9e3779b97f4a7c15U;

// Its finaliser, a bijection of 64-bit integers.
[[maybe_unused]] constexpr std::uint64_t split_mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

}  // namespace
}  // namespace kmosaic
