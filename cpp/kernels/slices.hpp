// Cuts values into slices, for exact sums of real and weighted rows (L17, L19): see update/exact_sums.hpp. A
// part of sums.cpp.
#pragma once

#include <cmath>

#include "kernels/double_double.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

// Rows summed at a time: each sum is loaded and stored once for all of them.
constexpr std::size_t kGroup = 8;

// For a few scattered rows. Rows of whole groups are read side by side, which keeps the memory busy without
// prefetching (prefetching a group ahead was a sixth slower).
template <class T>
void prefetch_rows(const void* const* rows, std::size_t n_rows, std::size_t n) {
    for (std::size_t r = 0; r < n_rows && r < kGroup; ++r)
        for (std::size_t byte = 0; byte < n * sizeof(T); byte += 64)
            __builtin_prefetch(static_cast<const char*>(rows[r]) + byte);
}

// A double near 3/2 2^52 spacing has a last bit that stands for one spacing. After adding this, the bits of a
// value count its spacings.
inline double shift_of(double spacing) {
    return 0x1.8p52 * spacing;
}

// The slice of a value; leaves the remainder.
inline std::int64_t take_slice(double& value, double shift) {
    const double shifted = value + shift;
    value -= shifted - shift;
    return static_cast<std::int64_t>(__builtin_bit_cast(std::uint64_t, shifted) -
                                     __builtin_bit_cast(std::uint64_t, shift));
}

// Adds NRows rows or, if Sign is -1, subtracts them.
template <class T, std::size_t NSlices, std::size_t NRows, int Sign = 1>
void add_group(const void* const* rows, std::size_t n, const Slices& slices, std::int64_t* __restrict sums) {
    const double* origin = slices.origin;
    double shifts[NSlices];
    for (std::size_t l = 0; l < NSlices; ++l) shifts[l] = shift_of(slices.spacings[l]);
    const T* x[NRows];
    for (std::size_t r = 0; r < NRows; ++r) x[r] = static_cast<const T*>(rows[r]);
    for (std::size_t f = 0; f < n; ++f) {
        double value[NRows];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < NRows; ++r) value[r] = static_cast<double>(x[r][f]) - origin[f];
#pragma GCC unroll 3
        for (std::size_t l = 0; l < NSlices; ++l) {
            std::int64_t part = 0;
#pragma GCC unroll 8
            for (std::size_t r = 0; r < NRows; ++r) part += take_slice(value[r], shifts[l]);
            sums[l * n + f] += Sign * part;
        }
    }
}

template <class T, std::size_t NSlices>
void add_real_rows_of(const void* const* rows, std::size_t n_rows, std::size_t n, const Slices& slices,
                      std::int64_t* sums) {
    if (n_rows < kGroup) prefetch_rows<T>(rows, n_rows, n);
    constexpr std::size_t kRows = 4;
    std::size_t r = 0;
    for (; r + kRows <= n_rows; r += kRows) add_group<T, NSlices, kRows>(rows + r, n, slices, sums);
    for (; r < n_rows; ++r) add_group<T, NSlices, 1>(rows + r, n, slices, sums);
}

// Features whose slices are taken side by side.
constexpr std::size_t kSliceChunk = 32;

// For any number of slices. The terms of a feature are the two halves of the exact product with the weight,
// or the value alone.
template <class T, bool Weighted>
void add_slices(const void* row, std::size_t n, double weight, const Slices& slices, std::int64_t* sums) {
    const T* x = static_cast<const T*>(row);
    for (std::size_t first = 0; first < n; first += kSliceChunk) {
        const std::size_t width = n - first < kSliceChunk ? n - first : kSliceChunk;
        double high[kSliceChunk], low[kSliceChunk];
        for (std::size_t f = 0; f < width; ++f) {
            const double value = static_cast<double>(x[first + f]) - slices.origin[first + f];
            const DoubleDouble product = Weighted ? two_product(weight, value) : DoubleDouble{value, 0};
            high[f] = product.high;
            low[f] = product.low;
        }
        for (std::size_t l = 0; l < slices.n_slices; ++l) {
            const double shift = shift_of(slices.spacings[l]);
            std::int64_t* __restrict to = sums + l * n + first;
            for (std::size_t f = 0; f < width; ++f) {
                to[f] += take_slice(high[f], shift);
                if constexpr (Weighted) to[f] += take_slice(low[f], shift);
            }
        }
    }
}

// The low half of a product is too small for the first slice (L19).
template <class T, std::size_t NSlices>
void add_weighted_of(const void* row, std::size_t n, double weight, const Slices& slices,
                     std::int64_t* __restrict sums) {
    const T* x = static_cast<const T*>(row);
    double shifts[NSlices];
    for (std::size_t l = 0; l < NSlices; ++l) shifts[l] = shift_of(slices.spacings[l]);
    for (std::size_t f = 0; f < n; ++f) {
        DoubleDouble product = two_product(weight, static_cast<double>(x[f]) - slices.origin[f]);
        sums[f] += take_slice(product.high, shifts[0]);
#pragma GCC unroll 4
        for (std::size_t l = 1; l < NSlices; ++l)
            sums[l * n + f] += take_slice(product.high, shifts[l]) + take_slice(product.low, shifts[l]);
    }
}

template <class T>
void add_weighted(const void* row, std::size_t n, double weight, const Slices& slices, std::int64_t* sums) {
    if (slices.n_slices == 2) return add_weighted_of<T, 2>(row, n, weight, slices, sums);
    if (slices.n_slices == 3) return add_weighted_of<T, 3>(row, n, weight, slices, sums);
    if (slices.n_slices == 4) return add_weighted_of<T, 4>(row, n, weight, slices, sums);
    add_slices<T, true>(row, n, weight, slices, sums);
}

template <class T>
void add_real_rows(const void* const* rows, std::size_t n_rows, std::size_t n, const Slices& slices,
                   std::int64_t* sums) {
    if (slices.n_slices == 1) return add_real_rows_of<T, 1>(rows, n_rows, n, slices, sums);
    if (slices.n_slices == 2) return add_real_rows_of<T, 2>(rows, n_rows, n, slices, sums);
    if (slices.n_slices == 3) return add_real_rows_of<T, 3>(rows, n_rows, n, slices, sums);
    for (std::size_t r = 0; r < n_rows; ++r) add_slices<T, false>(rows[r], n, 1, slices, sums);
}

// Adds one row or, if Sign is -1, subtracts it. NSlices is the number of slices, or 0 for any.
template <class T, std::size_t NSlices, int Sign>
void add_one(const void* row, std::size_t n, const Slices& slices, std::int64_t* sums) {
    if constexpr (NSlices > 0)
        add_group<T, NSlices, 1, Sign>(&row, n, slices, sums);
    else
        add_slices<T, Sign == -1>(row, n, Sign, slices, sums);
}

template <class T, std::size_t NSlices>
void move_reals_of(const void* rows, const Slices& slices, const MovedRow* moved, std::size_t n_moved,
                   const SumTable& table) {
    const std::size_t n = table.n_features, size = slices.n_slices * n;
    for (std::size_t m = 0; m < n_moved; ++m) {
        const void* row = static_cast<const T*>(rows) + moved[m].row * n;
        add_one<T, NSlices, 1>(row, n, slices, table.sums + moved[m].to * size);
        ++table.counts[moved[m].to];
        if (moved[m].from == table.n_clusters) continue;
        add_one<T, NSlices, -1>(row, n, slices, table.sums + moved[m].from * size);
        --table.counts[moved[m].from];
    }
}

template <class T>
void move_reals(const void* rows, const Slices& slices, const MovedRow* moved, std::size_t n_moved,
                const SumTable& table) {
    if (slices.n_slices > 3) return move_reals_of<T, 0>(rows, slices, moved, n_moved, table);
    if (slices.n_slices == 1) return move_reals_of<T, 1>(rows, slices, moved, n_moved, table);
    if (slices.n_slices == 2) return move_reals_of<T, 2>(rows, slices, moved, n_moved, table);
    move_reals_of<T, 3>(rows, slices, moved, n_moved, table);
}

// The power of two that a value's last bit stands for, its difference from the value without that bit;
// infinity for 0.
inline double last_bit(double value) {
    constexpr std::uint64_t kMantissa = (std::uint64_t{1} << 52) - 1;
    const auto bits = __builtin_bit_cast(std::uint64_t, value);
    const std::uint64_t without = (bits & kMantissa) != 0 ? bits & (bits - 1) : 0;
    const double bit = std::fabs(value - __builtin_bit_cast(double, without));
    return bit == 0 ? __builtin_inf() : bit;
}

template <class T>
double least_bit(const void* row, std::size_t n, const double* origin) {
    constexpr std::size_t kLanes = 64;
    const T* x = static_cast<const T*>(row);
    double least[kLanes];
    for (double& bit : least) bit = __builtin_inf();
    for (std::size_t first = 0; first < n; first += kLanes) {
        const std::size_t width = n - first < kLanes ? n - first : kLanes;
        for (std::size_t l = 0; l < width; ++l) {
            const double bit = last_bit(static_cast<double>(x[first + l]) - origin[first + l]);
            least[l] = bit < least[l] ? bit : least[l];
        }
    }
    for (std::size_t l = 1; l < kLanes; ++l) least[0] = least[l] < least[0] ? least[l] : least[0];
    return least[0];
}

}  // namespace
}  // namespace kmosaic::KMOSAIC_ISA
