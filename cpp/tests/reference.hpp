// The slow, obvious oracle: brute force with at least 113 bits, exact for the small whole and dyadic numbers
// that the tests of ties use.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "core/rows.hpp"
#include "samples.hpp"

namespace kmosaic::testing {

#ifdef __SIZEOF_FLOAT128__
__extension__ typedef __float128 Wide;
#else
using Wide = long double;
static_assert(sizeof(Wide) == 16);
#endif

inline Wide absolute(Wide x) {
    return x < 0 ? -x : x;
}

inline double value_at(const Rows& rows, std::size_t i, std::size_t f) {
    double value = 0;
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        if (dtype_of<T>() == rows.dtype) value = static_cast<double>(static_cast<const T*>(rows.row(i))[f]);
    });
    return value;
}

inline std::vector<double> row_at(const Rows& rows, std::size_t i) {
    std::vector<double> row(rows.n_features);
    for (std::size_t f = 0; f < row.size(); ++f) row[f] = value_at(rows, i, f);
    return row;
}

template <class Number>
Number squared_distance(const std::vector<double>& row, const double* center) {
    Number sum = 0;
    const double* const values = row.data();
    for (std::size_t f = 0; f < row.size(); ++f) {
        const Number difference = static_cast<Number>(values[f]) - static_cast<Number>(center[f]);
        sum += difference * difference;
    }
    return sum;
}

template <class Number>
Number squared_distance(const Rows& rows, std::size_t i, const double* center) {
    return squared_distance<Number>(row_at(rows, i), center);
}

// The nearest centroid, ties to the lowest index. Float64 leaves out what is farther by far more than its
// rounding; the rest is measured with 113 bits, and distances within one part in 2^98 are equal.
inline std::int32_t nearest(const Rows& rows, std::size_t i, const Centers& centers) {
    const std::vector<double> row = row_at(rows, i);
    std::vector<double> rough(centers.n_clusters);
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        rough[j] = squared_distance<double>(row, centers.row(j));
    double least_rough = rough[0];
    for (const double distance : rough) least_rough = distance < least_rough ? distance : least_rough;
    const double limit =
        least_rough * (1 + 16 * static_cast<double>(rows.n_features + 16) * 0x1p-53) + 1e-250;
    std::vector<std::size_t> close;
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        if (rough[j] <= limit) close.push_back(j);
    if (close.size() == 1) return static_cast<std::int32_t>(close[0]);
    std::vector<Wide> distances;
    Wide least = -1;
    for (const std::size_t j : close) {
        distances.push_back(squared_distance<Wide>(row, centers.row(j)));
        if (least < 0 || distances.back() < least) least = distances.back();
    }
    for (std::size_t c = 0; c < close.size(); ++c)
        if (distances[c] <= least + least * static_cast<Wide>(0x1p-98))
            return static_cast<std::int32_t>(close[c]);
    return -1;
}

inline std::vector<std::int32_t> nearest_of_all(const Rows& rows, const Centers& centers) {
    std::vector<std::int32_t> labels(rows.n_rows);
    for (std::size_t i = 0; i < rows.n_rows; ++i) labels[i] = nearest(rows, i, centers);
    return labels;
}

inline Wide inertia(const Rows& rows, const std::vector<std::int32_t>& labels, const Centers& centers) {
    Wide sum = 0;
    for (std::size_t i = 0; i < rows.n_rows; ++i)
        sum += static_cast<Wide>(rows.weight(i)) *
               squared_distance<Wide>(rows, i, centers.row(static_cast<std::size_t>(labels[i])));
    return sum;
}

// Is `rounded` the double nearest to numerator / denominator (denominator > 0)? Compared without dividing.
inline bool correctly_rounded(double rounded, Wide numerator, Wide denominator) {
    const auto error = [&](double x) { return absolute(numerator - static_cast<Wide>(x) * denominator); };
    const double infinity = HUGE_VAL;
    return error(rounded) <= error(std::nextafter(rounded, infinity)) &&
           error(rounded) <= error(std::nextafter(rounded, -infinity));
}

}  // namespace kmosaic::testing
