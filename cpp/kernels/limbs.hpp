// Values cut into limbs, for exact sums of real and weighted rows: see kmeans/sums.hpp. A part of sums.cpp.
#pragma once

#include <cmath>

#include "kernels/double_double.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

// Rows summed at a time in narrow lanes: each sum is loaded and stored once for all of them.
constexpr std::size_t kGroup = 8;

// For a few rows that lie anywhere. Whole groups are read side by side, which keeps memory as busy without it (measured:
// fetching a group ahead cost a sixth).
template <class T>
void prefetch_rows(const void* const* rows, std::size_t n_rows, std::size_t n) {
    for (std::size_t r = 0; r < n_rows && r < kGroup; ++r)
        for (std::size_t byte = 0; byte < n * sizeof(T); byte += 64)
            __builtin_prefetch(static_cast<const char*>(rows[r]) + byte);
}

// Adding 3/2 2^52 grid leaves a double whose last bit is worth one grid: its bits count the grids in the value.
inline double shift_of(double grid) {
    return 0x1.8p52 * grid;
}

inline std::int64_t take_limb(double& value, double shift) {
    const double shifted = value + shift;
    value -= shifted - shift;
    return static_cast<std::int64_t>(__builtin_bit_cast(std::uint64_t, shifted) -
                                     __builtin_bit_cast(std::uint64_t, shift));
}

template <class T, std::size_t NLimbs, std::size_t NRows>
void add_group(const void* const* rows, std::size_t n, const Limbs& limbs, std::int64_t* __restrict sums) {
    const double* origin = limbs.origin;
    double shifts[NLimbs];
    for (std::size_t l = 0; l < NLimbs; ++l) shifts[l] = shift_of(limbs.grids[l]);
    const T* x[NRows];
    for (std::size_t r = 0; r < NRows; ++r) x[r] = static_cast<const T*>(rows[r]);
    for (std::size_t f = 0; f < n; ++f) {
        double value[NRows];
#pragma GCC unroll 8
        for (std::size_t r = 0; r < NRows; ++r) value[r] = static_cast<double>(x[r][f]) - origin[f];
#pragma GCC unroll 3
        for (std::size_t l = 0; l < NLimbs; ++l) {
            std::int64_t part = 0;
#pragma GCC unroll 8
            for (std::size_t r = 0; r < NRows; ++r) part += take_limb(value[r], shifts[l]);
            sums[l * n + f] += part;
        }
    }
}

template <class T, std::size_t NLimbs>
void add_real_rows_of(const void* const* rows, std::size_t n_rows, std::size_t n, const Limbs& limbs,
                      std::int64_t* sums) {
    if (n_rows < kGroup) prefetch_rows<T>(rows, n_rows, n);
    constexpr std::size_t kRows = 4;
    std::size_t r = 0;
    for (; r + kRows <= n_rows; r += kRows) add_group<T, NLimbs, kRows>(rows + r, n, limbs, sums);
    for (; r < n_rows; ++r) add_group<T, NLimbs, 1>(rows + r, n, limbs, sums);
}

// Features whose limbs are taken side by side.
constexpr std::size_t kLimbChunk = 32;

// Any number of limbs, of a row times a weight. Product has the exact product in two halves, or the value and nothing.
template <class T, bool Weighted>
void add_limbs(const void* row, std::size_t n, double weight, const Limbs& limbs, std::int64_t* sums) {
    const T* x = static_cast<const T*>(row);
    for (std::size_t first = 0; first < n; first += kLimbChunk) {
        const std::size_t width = n - first < kLimbChunk ? n - first : kLimbChunk;
        double high[kLimbChunk], low[kLimbChunk];
        for (std::size_t f = 0; f < width; ++f) {
            const double value = static_cast<double>(x[first + f]) - limbs.origin[first + f];
            const DoubleDouble product = Weighted ? two_product(weight, value) : DoubleDouble{value, 0};
            high[f] = product.high;
            low[f] = product.low;
        }
        for (std::size_t l = 0; l < limbs.n_limbs; ++l) {
            const double shift = shift_of(limbs.grids[l]);
            std::int64_t* __restrict to = sums + l * n + first;
            for (std::size_t f = 0; f < width; ++f) {
                to[f] += take_limb(high[f], shift);
                if constexpr (Weighted) to[f] += take_limb(low[f], shift);
            }
        }
    }
}

// The low half of a product is below 2^-53 of what the first limb's 50 bits are taken from: there it has none.
template <class T, std::size_t NLimbs>
void add_weighted_of(const void* row, std::size_t n, double weight, const Limbs& limbs,
                     std::int64_t* __restrict sums) {
    const T* x = static_cast<const T*>(row);
    double shifts[NLimbs];
    for (std::size_t l = 0; l < NLimbs; ++l) shifts[l] = shift_of(limbs.grids[l]);
    for (std::size_t f = 0; f < n; ++f) {
        DoubleDouble product = two_product(weight, static_cast<double>(x[f]) - limbs.origin[f]);
        sums[f] += take_limb(product.high, shifts[0]);
#pragma GCC unroll 4
        for (std::size_t l = 1; l < NLimbs; ++l)
            sums[l * n + f] += take_limb(product.high, shifts[l]) + take_limb(product.low, shifts[l]);
    }
}

template <class T>
void add_weighted(const void* row, std::size_t n, double weight, const Limbs& limbs, std::int64_t* sums) {
    if (limbs.n_limbs == 2) return add_weighted_of<T, 2>(row, n, weight, limbs, sums);
    if (limbs.n_limbs == 3) return add_weighted_of<T, 3>(row, n, weight, limbs, sums);
    if (limbs.n_limbs == 4) return add_weighted_of<T, 4>(row, n, weight, limbs, sums);
    add_limbs<T, true>(row, n, weight, limbs, sums);
}

template <class T>
void add_real_rows(const void* const* rows, std::size_t n_rows, std::size_t n, const Limbs& limbs,
                   std::int64_t* sums) {
    if (limbs.n_limbs == 1) return add_real_rows_of<T, 1>(rows, n_rows, n, limbs, sums);
    if (limbs.n_limbs == 2) return add_real_rows_of<T, 2>(rows, n_rows, n, limbs, sums);
    if (limbs.n_limbs == 3) return add_real_rows_of<T, 3>(rows, n_rows, n, limbs, sums);
    for (std::size_t r = 0; r < n_rows; ++r) add_limbs<T, false>(rows[r], n, 1, limbs, sums);
}

template <class T, std::size_t NLimbs>
void move_reals_of(const void* rows, const Limbs& limbs, const MovedRow* moved, std::size_t n_moved,
                   const SumTable& table) {
    const std::size_t n = table.n_features;
    for (std::size_t m = 0; m < n_moved; ++m) {
        const void* row = static_cast<const T*>(rows) + moved[m].row * n;
        add_group<T, NLimbs, 1>(&row, n, limbs, table.sums + moved[m].to * NLimbs * n);
        ++table.counts[moved[m].to];
        if (moved[m].from == table.n_clusters) continue;
        std::int64_t* __restrict from = table.sums + moved[m].from * NLimbs * n;
        const T* x = static_cast<const T*>(row);
        for (std::size_t f = 0; f < n; ++f) {
            double value = static_cast<double>(x[f]) - limbs.origin[f];
#pragma GCC unroll 3
            for (std::size_t l = 0; l < NLimbs; ++l)
                from[l * n + f] -= take_limb(value, shift_of(limbs.grids[l]));
        }
        --table.counts[moved[m].from];
    }
}

// Any number of limbs: a row is taken away as its negative is added.
template <class T>
void move_wide_reals(const void* rows, const Limbs& limbs, const MovedRow* moved, std::size_t n_moved,
                     const SumTable& table) {
    const std::size_t n = table.n_features, size = limbs.n_limbs * n;
    for (std::size_t m = 0; m < n_moved; ++m) {
        const T* row = static_cast<const T*>(rows) + moved[m].row * n;
        add_limbs<T, false>(row, n, 1, limbs, table.sums + moved[m].to * size);
        ++table.counts[moved[m].to];
        if (moved[m].from == table.n_clusters) continue;
        add_limbs<T, true>(row, n, -1, limbs, table.sums + moved[m].from * size);
        --table.counts[moved[m].from];
    }
}

template <class T>
void move_reals(const void* rows, const Limbs& limbs, const MovedRow* moved, std::size_t n_moved,
                const SumTable& table) {
    if (limbs.n_limbs > 3) return move_wide_reals<T>(rows, limbs, moved, n_moved, table);
    if (limbs.n_limbs == 1) return move_reals_of<T, 1>(rows, limbs, moved, n_moved, table);
    if (limbs.n_limbs == 2) return move_reals_of<T, 2>(rows, limbs, moved, n_moved, table);
    move_reals_of<T, 3>(rows, limbs, moved, n_moved, table);
}

// What a value's last bit is worth, which is what it has more than without that bit; infinity for 0.
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
