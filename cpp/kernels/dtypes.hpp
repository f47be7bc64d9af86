// The types of values that rows may have, and two numbers that go with them.
#pragma once

#include <cstddef>

namespace kmosaic {

// Integers first, so that tables of integer or of real kernels are contiguous; integers of a byte before those of two.
enum Dtype : int {
    kUint8 = 0,
    kInt8 = 1,
    kUint16 = 2,
    kInt16 = 3,
    kFloat16 = 4,
    kBfloat16 = 5,
    kFloat32 = 6,
    kFloat64 = 7
};
constexpr int kDtypes = 8;
constexpr int kIntegers = 4;
constexpr int kFirstReal = kFloat16;
constexpr int kReals = kDtypes - kFirstReal;

constexpr bool is_integer(Dtype dtype) {
    return dtype < kFirstReal;
}
// Real numbers of 16 bits.
constexpr bool is_half(Dtype dtype) {
    return dtype == kFloat16 || dtype == kBfloat16;
}
constexpr std::size_t size_of(Dtype dtype) {
    constexpr std::size_t kSizes[kDtypes] = {1, 1, 2, 2, 2, 2, 4, 8};
    return kSizes[dtype];
}

// Rows of bytes and codes are read in whole blocks of this many bytes.
constexpr std::size_t kByteBlock = 64;

// Adding it to a float64 and subtracting it again rounds to a whole number.
constexpr double kRounder = 0x1.8p52;

}  // namespace kmosaic
