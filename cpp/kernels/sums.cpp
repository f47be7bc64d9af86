// Kernels of the update step and of J, compiled once per instruction set and without contraction: vectors
// change the speed, never a bit.
#include <iterator>
#include <type_traits>

#include "kernels/double_double.hpp"
#include "kernels/halves.hpp"
#include "kernels/kernels.hpp"
#include "kernels/slices.hpp"

namespace kmosaic::KMOSAIC_ISA {
namespace {

template <class T, std::size_t NRows>
void add_integer_group(const void* const* rows, std::size_t n, std::int32_t* __restrict sums) {
    using Short = std::conditional_t<std::is_signed_v<T>, std::int16_t, std::uint16_t>;
    using Part = std::conditional_t<sizeof(T) == 1, Short, std::int32_t>;
    const T* x[NRows];
    for (std::size_t r = 0; r < NRows; ++r) x[r] = static_cast<const T*>(rows[r]);
    for (std::size_t f = 0; f < n; ++f) {
        Part part = 0;
#pragma GCC unroll 8
        for (std::size_t r = 0; r < NRows; ++r) part = static_cast<Part>(part + x[r][f]);
        sums[f] += part;
    }
}

template <class T>
void add_integer_rows(const void* const* rows, std::size_t n_rows, std::size_t n, std::int32_t* sums) {
    if (n_rows < kGroup) prefetch_rows<T>(rows, n_rows, n);
    std::size_t r = 0;
    for (; r + kGroup <= n_rows; r += kGroup) add_integer_group<T, kGroup>(rows + r, n, sums);
    if (n_rows - r >= 4) {
        add_integer_group<T, 4>(rows + r, n, sums);
        r += 4;
    }
    if (n_rows - r >= 2) {
        add_integer_group<T, 2>(rows + r, n, sums);
        r += 2;
    }
    if (n_rows - r == 1) add_integer_group<T, 1>(rows + r, n, sums);
}

template <class T>
void add_to_totals(const T* __restrict sums, std::size_t n, bool negative, std::int64_t* __restrict totals) {
    if (negative)
        for (std::size_t i = 0; i < n; ++i) totals[i] -= sums[i];
    else
        for (std::size_t i = 0; i < n; ++i) totals[i] += sums[i];
}

template <class T>
void add_integers(const void* row, std::size_t n, std::int64_t factor, std::int64_t* sums) {
    const T* x = static_cast<const T*>(row);
    for (std::size_t f = 0; f < n; ++f) sums[f] += factor * x[f];
}

// Moves rows, each as often as counts says if Counted. Features is the number of features, or 0 for any:
// loops of known length over so few values are faster (three bytes a row: 1.5 ns a row instead of 2.5).
template <class T, std::size_t Features, bool Counted>
void move_rows_of(const void* rows, const std::uint32_t* counts, const MovedRow* moved, std::size_t n_moved,
                  const SumTable& table) {
    const std::size_t n = Features > 0 ? Features : table.n_features;
    for (std::size_t m = 0; m < n_moved; ++m) {
        const T* x = static_cast<const T*>(rows) + moved[m].row * n;
        const std::int64_t count = Counted ? counts[moved[m].row] : 1;
        std::int64_t* to = table.sums + moved[m].to * n;
        for (std::size_t f = 0; f < n; ++f) to[f] += count * x[f];
        table.counts[moved[m].to] += count;
        if (moved[m].from == table.n_clusters) continue;
        std::int64_t* from = table.sums + moved[m].from * n;
        for (std::size_t f = 0; f < n; ++f) from[f] -= count * x[f];
        table.counts[moved[m].from] -= count;
    }
}

template <class T, std::size_t Features>
void move_integers_of(const void* rows, const std::uint32_t* counts, const MovedRow* moved,
                      std::size_t n_moved, const SumTable& table) {
    (counts ? move_rows_of<T, Features, true> : move_rows_of<T, Features, false>)(rows, counts, moved,
                                                                                  n_moved, table);
}

// For many rows and few clusters: 32-bit sums of the rows that join each cluster and of those that leave it,
// Width values a row. The values after a shorter row are added, too, and ignored.
constexpr std::size_t kMaxClustersOfMany = 64;
constexpr std::size_t kMaxWidth = 32;
constexpr std::size_t kChangesWorthSumming = 2;  // a cluster: fewer are not worth these sums
constexpr std::size_t kMaxMoved = 65536;         // values of 16 bits, whose sum 32 bits hold
static_assert(kMaxMoved * UINT16_MAX <= UINT32_MAX && kMaxMoved * -INT16_MIN <= -std::int64_t{INT32_MIN});

template <class T, std::size_t Width>
struct LowDimSums {
    using Sum = std::conditional_t<std::is_signed_v<T>, std::int32_t, std::uint32_t>;
    alignas(64) Sum sums[kMaxClustersOfMany][Width];
    std::uint32_t counts[kMaxClustersOfMany];

    explicit LowDimSums(std::size_t n_clusters) {
        for (std::size_t j = 0; j < n_clusters; ++j) {
            for (std::size_t f = 0; f < Width; ++f) sums[j][f] = 0;
            counts[j] = 0;
        }
    }

    void add(std::size_t cluster, const T* row) {
        for (std::size_t f = 0; f < Width; ++f) sums[cluster][f] += row[f];
        ++counts[cluster];
    }
};

template <class T, std::size_t Width>
void move_many(const T* rows, std::size_t n_rows, const MovedRow* moved, std::size_t n_moved,
               const SumTable& table) {
    const std::size_t n = table.n_features;
    // The rows that are followed by as many values as are read.
    const std::size_t n_wide = n_rows * n < Width ? 0 : (n_rows * n - Width) / n + 1;
    // Neighbours often join the same cluster: two sums in turn, so that the next need not wait for the last.
    using Sums = LowDimSums<T, Width>;
    Sums joined[] = {Sums(table.n_clusters), Sums(table.n_clusters)};
    Sums left(table.n_clusters);
    for (std::size_t m = 0; m < n_moved; ++m) {
        if (moved[m].row >= n_wide) {
            move_rows_of<T, 0, false>(rows, nullptr, moved + m, 1, table);
            continue;
        }
        const T* row = rows + moved[m].row * n;
        joined[m % 2].add(moved[m].to, row);
        if (moved[m].from != table.n_clusters) left.add(moved[m].from, row);
    }
    for (std::size_t j = 0; j < table.n_clusters; ++j) {
        for (std::size_t f = 0; f < n; ++f)
            table.sums[j * n + f] +=
                std::int64_t{joined[0].sums[j][f]} + joined[1].sums[j][f] - left.sums[j][f];
        table.counts[j] += std::int64_t{joined[0].counts[j]} + joined[1].counts[j] - left.counts[j];
    }
}

template <class T>
void move_integers(const void* data, std::size_t n_rows, const std::uint32_t* counts, const MovedRow* moved,
                   std::size_t n_moved, const SumTable& table) {
    const T* rows = static_cast<const T*>(data);
    const std::size_t d = table.n_features;
    const bool fit = !counts && d <= kMaxWidth && table.n_clusters <= kMaxClustersOfMany;
    while (fit && n_moved >= kChangesWorthSumming * table.n_clusters) {
        const std::size_t n = n_moved < kMaxMoved ? n_moved : kMaxMoved;
        (2 * d <= kMaxWidth ? move_many<T, kMaxWidth / 2> : move_many<T, kMaxWidth>)(rows, n_rows, moved, n,
                                                                                     table);
        moved += n;
        n_moved -= n;
    }
    constexpr decltype(&move_integers_of<T, 0>) kOfFeatures[] = {
        move_integers_of<T, 0>,  move_integers_of<T, 1>,  move_integers_of<T, 2>,  move_integers_of<T, 3>,
        move_integers_of<T, 4>,  move_integers_of<T, 5>,  move_integers_of<T, 6>,  move_integers_of<T, 7>,
        move_integers_of<T, 8>,  move_integers_of<T, 9>,  move_integers_of<T, 10>, move_integers_of<T, 11>,
        move_integers_of<T, 12>, move_integers_of<T, 13>,
    };
    kOfFeatures[d < std::size(kOfFeatures) ? d : 0](data, counts, moved, n_moved, table);
}

template <class T>
void widen_range(const void* row, std::size_t n, double* __restrict low, double* __restrict high) {
    const T* x = static_cast<const T*>(row);
    for (std::size_t f = 0; f < n; ++f) {
        const double value = static_cast<double>(x[f]);
        low[f] = value < low[f] ? value : low[f];
        high[f] = value > high[f] ? value : high[f];
    }
}

// Chunks whose sums stay within 32 bits.
template <class T>
std::uint64_t sum_of_squares(const void* row, std::size_t n) {
    const T* x = static_cast<const T*>(row);
    std::uint64_t sum = 0;
    if constexpr (sizeof(T) == 1) {
        for (std::size_t start = 0; start < n; start += 32768) {
            const std::size_t end = start + 32768 < n ? start + 32768 : n;
            std::int32_t part = 0;
            for (std::size_t f = start; f < end; ++f) part += x[f] * x[f];
            sum += static_cast<std::uint32_t>(part);
        }
    } else {
        for (std::size_t f = 0; f < n; ++f) {
            const std::int64_t value = x[f];
            sum += static_cast<std::uint64_t>(value * value);
        }
    }
    return sum;
}

inline void accumulate(double& high, double& low, DoubleDouble value) {
    const DoubleDouble sum = DoubleDouble{high, low} + value;
    high = sum.high;
    low = sum.low;
}

// Calls square(f) for the square of each value, in double-double, and adds it.
template <class Square>
inline void add_each(std::size_t n, double* __restrict high, double* __restrict low, Square square) {
    for (std::size_t f = 0; f < n; ++f) accumulate(high[f], low[f], square(f));
}

// The same bits each way: what is left out multiplies by 1, subtracts 0 or adds it.
template <class T>
void add_squares(const void* row, std::size_t n, double weight, const double* origin, double* __restrict high,
                 double* __restrict low) {
    const T* x = static_cast<const T*>(row);
    const auto from_origin = [&](std::size_t f) {
        const double value = static_cast<double>(x[f]) - origin[f];
        return two_product(value, value);
    };
    if (weight != 1) return add_each(n, high, low, [&](std::size_t f) { return from_origin(f) * weight; });
    if (origin) return add_each(n, high, low, from_origin);
    if constexpr (sizeof(T) == 8)
        return add_each(n, high, low, [&](std::size_t f) {
            const double value = static_cast<double>(x[f]);
            return two_product(value, value);
        });
    for (std::size_t f = 0; f < n; ++f) {  // squares that a double holds
        const double value = static_cast<double>(x[f]);
        const DoubleDouble sum = DoubleDouble{high[f], low[f]} + value * value;
        high[f] = sum.high;
        low[f] = sum.low;
    }
}

// An int64 in double-double, exactly. Its halves become doubles by their bits: few instruction sets convert
// int64.
inline DoubleDouble whole(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    const double upper = __builtin_bit_cast(double, (bits >> 32) ^ 0x4530000080000000U) - 0x1.000008p84;
    const double lower = __builtin_bit_cast(double, (bits & 0xffffffffU) | 0x4330000000000000U) - 0x1p52;
    return two_sum(upper, lower);
}

// Whole numbers below 2^51 as doubles: added to the bits of 3/2 2^52 they are its low bits. False, and
// nothing written, where one is larger.
bool small_values(const std::int64_t* sums, std::size_t n, double* __restrict high, double* __restrict low) {
    std::int64_t bits = 0;
    for (std::size_t f = 0; f < n; ++f) bits |= sums[f] ^ (sums[f] >> 63);
    if (bits >> 51 != 0) return false;
    for (std::size_t f = 0; f < n; ++f) {
        high[f] = __builtin_bit_cast(double, __builtin_bit_cast(std::int64_t, 0x1.8p52) + sums[f]) - 0x1.8p52;
        low[f] = 0;
    }
    return true;
}

bool values(const std::int64_t* sums, std::size_t n, const double* spacings, std::size_t n_slices,
            double* __restrict high, double* __restrict low) {
    if (n_slices == 1 && spacings[0] == 1 && small_values(sums, n, high, low)) return false;
    for (std::size_t f = 0; f < n; ++f) {
        const DoubleDouble value = whole(sums[f]);
        high[f] = value.high * spacings[0];
        low[f] = value.low * spacings[0];
    }
    for (std::size_t l = 1; l < n_slices; ++l) {
        for (std::size_t f = 0; f < n; ++f) {
            const DoubleDouble value = whole(sums[l * n + f]);
            accumulate(high[f], low[f], {value.high * spacings[l], value.low * spacings[l]});
        }
    }
    std::uint64_t bits = 0;
    for (std::size_t f = 0; f < n; ++f) bits |= __builtin_bit_cast(std::uint64_t, low[f]) << 1;
    return bits != 0;
}

// The low half of a smaller sum, or the remainder of its division, may underflow (L20).
constexpr double kSmallSum = 0x1p-800;

// The mean of a small sum: the quotient q times 2^-200 if that is a normal number, else the nearest multiple
// of 2^-1074. If the high half of q lies midway between two of them, the low half decides.
double small_mean(DoubleDouble sum, DoubleDouble count, double origin) {
    const DoubleDouble q = DoubleDouble{sum.high * 0x1p200, sum.low * 0x1p200} / count + origin * 0x1p200;
    if (std::fabs(q.high) >= 0x1p-822) return q.high * 0x1p-200;
    double whole = std::nearbyint(q.high * 0x1p874);
    const double fraction = q.high * 0x1p874 - whole;
    if (std::fabs(fraction) == 0.5 && (fraction > 0 ? q.low > 0 : q.low < 0)) whole += 2 * fraction;
    return whole * 0x1p-1074;
}

void mean(const ClusterSumView& sums, double* __restrict centre) {
    const DoubleDouble count{sums.count[0], sums.count[1]};
    bool small = false;
    if (sums.plain) {
        for (std::size_t f = 0; f < sums.n_features; ++f) {
            centre[f] = sums.high[f] / count.high;
            small |= std::fabs(sums.high[f]) < kSmallSum;
        }
    } else {
        for (std::size_t f = 0; f < sums.n_features; ++f) {
            centre[f] = (DoubleDouble{sums.high[f], sums.low[f]} / count + sums.origin[f]).high;
            small |= std::fabs(sums.high[f]) < kSmallSum;
        }
    }
    if (!small) return;
    for (std::size_t f = 0; f < sums.n_features; ++f)
        if (sums.high[f] != 0 && std::fabs(sums.high[f]) < kSmallSum && std::fabs(sums.origin[f]) < kSmallSum)
            centre[f] = small_mean({sums.high[f], sums.low[f]}, count, sums.origin[f]);
}

struct CostLanes {
    double high[kCostLanes] = {};
    double low[kCostLanes] = {};
    double magnitude[kCostLanes] = {};
};

// x (x count - 2 sum) for doubles x, sum and count: the rounding errors of the product and of the difference
// are known.
inline DoubleDouble plain_term(double x, double sum, double count) {
    const DoubleDouble product = two_product(x, count);
    const DoubleDouble difference = two_sum(product.high, -2 * sum);
    const DoubleDouble factor = fast_two_sum(difference.high, difference.low + product.low);
    const DoubleDouble term = two_product(x, factor.high);
    return {term.high, std::fma(x, factor.low, term.low)};
}

// A compensated sum (Ogita, Rump and Oishi 2005, "Accurate sum and dot product", Sum2), whose error L18
// bounds: the roundings of `high` are added to `low`.
template <bool Plain>
inline void add_term(CostLanes& lanes, std::size_t lane, const ClusterSumView& sums, const double* centre,
                     std::size_t f) {
    const DoubleDouble count{sums.count[0], sums.count[1]};
    DoubleDouble term;
    double x = centre[f];
    if constexpr (Plain) {
        term = plain_term(x, sums.high[f], count.high);
    } else {
        const DoubleDouble shifted = two_sum(centre[f], -sums.origin[f]);
        term = shifted * (shifted * count - DoubleDouble{sums.high[f], sums.low[f]} * 2.0);
        x = shifted.high;
    }
    const DoubleDouble sum = two_sum(lanes.high[lane], term.high);
    lanes.high[lane] = sum.high;
    lanes.low[lane] += sum.low + term.low;
    lanes.magnitude[lane] += std::fabs(x) * (std::fabs(x) * count.high + 2 * std::fabs(sums.high[f]));
}

template <bool Plain>
CostLanes cost_of_chunk(const ClusterSumView& sums, const double* centre, std::size_t first,
                        std::size_t last) {
    CostLanes lanes;
    std::size_t f = first;
    for (; f + kCostLanes <= last; f += kCostLanes)
        for (std::size_t l = 0; l < kCostLanes; ++l) add_term<Plain>(lanes, l, sums, centre, f + l);
    for (std::size_t l = 0; f < last; ++f, ++l) add_term<Plain>(lanes, l, sums, centre, f);
    return lanes;
}

ClusterCost cost(const ClusterSumView& sums, const double* centre) {
    constexpr std::size_t kChunk = kCostLanes * kCostSteps;
    CostLanes total;
    for (std::size_t first = 0; first < sums.n_features; first += kChunk) {
        const std::size_t last = first + kChunk < sums.n_features ? first + kChunk : sums.n_features;
        const CostLanes part = sums.plain ? cost_of_chunk<true>(sums, centre, first, last)
                                          : cost_of_chunk<false>(sums, centre, first, last);
        for (std::size_t l = 0; l < kCostLanes; ++l) {
            accumulate(total.high[l], total.low[l], two_sum(part.high[l], part.low[l]));
            total.magnitude[l] += part.magnitude[l];
        }
    }
    for (std::size_t width = kCostLanes / 2; width > 0; width /= 2) {
        for (std::size_t l = 0; l < width; ++l) {
            accumulate(total.high[l], total.low[l], {total.high[l + width], total.low[l + width]});
            total.magnitude[l] += total.magnitude[l + width];
        }
    }
    return {total.high[0], total.low[0], total.magnitude[0]};
}

}  // namespace

extern const SumKernels sum_kernels;
const SumKernels sum_kernels = {
    {add_integer_rows<std::uint8_t>, add_integer_rows<std::int8_t>, add_integer_rows<std::uint16_t>,
     add_integer_rows<std::int16_t>},
    {add_real_rows<Float16>, add_real_rows<Bfloat16>, add_real_rows<float>, add_real_rows<double>},
    {add_weighted<std::uint8_t>, add_weighted<std::int8_t>, add_weighted<std::uint16_t>,
     add_weighted<std::int16_t>, add_weighted<Float16>, add_weighted<Bfloat16>, add_weighted<float>,
     add_weighted<double>},
    add_to_totals<std::int32_t>,
    add_to_totals<std::int64_t>,
    {add_integers<std::uint8_t>, add_integers<std::int8_t>, add_integers<std::uint16_t>,
     add_integers<std::int16_t>},
    {move_integers<std::uint8_t>, move_integers<std::int8_t>, move_integers<std::uint16_t>,
     move_integers<std::int16_t>},
    {move_reals<Float16>, move_reals<Bfloat16>, move_reals<float>, move_reals<double>},
    {widen_range<Float16>, widen_range<Bfloat16>, widen_range<float>, widen_range<double>},
    {least_bit<Float16>, least_bit<Bfloat16>, least_bit<float>, least_bit<double>},
    {sum_of_squares<std::uint8_t>, sum_of_squares<std::int8_t>, sum_of_squares<std::uint16_t>,
     sum_of_squares<std::int16_t>},
    {add_squares<std::uint8_t>, add_squares<std::int8_t>, add_squares<std::uint16_t>,
     add_squares<std::int16_t>, add_squares<Float16>, add_squares<Bfloat16>, add_squares<float>,
     add_squares<double>},
    values,
    mean,
    cost,
};

}  // namespace kmosaic::KMOSAIC_ISA
