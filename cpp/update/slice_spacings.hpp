// Chooses the spacings of the slices that exact sums consist of (L17, L19): see exact_sums.hpp.
#pragma once

#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

// The least and the greatest value of each feature.
struct ValueRange {
    std::vector<double> low;
    std::vector<double> high;
};

ValueRange range_of_reals(const Rows& rows, const Parallel& parallel);

// All spacings of sums over at most n_rows rows of this range, the coarsest first, down to the least bit of
// float64. Sums need only the first slices_needed() of them. Throws std::invalid_argument if the values are
// too large or the rows too many to be summed in int64.
std::vector<double> possible_spacings(std::size_t n_rows, const std::vector<double>& origin,
                                      const ValueRange& range);

// The least power of two that a last bit of a value x - origin stands for; infinity if all values are 0.
double least_bit(const Rows& rows, const std::vector<double>& origin, const Parallel& parallel);

// The least E with every |x - origin| < 2^E; above all exponents of float64 if there is none.
int exponent_of(const ValueRange& range, const std::vector<double>& origin);

// As few spacings as represent multiples of `least` below 2^exponent exactly, for sums of n_terms of them.
// Throws as possible_spacings does.
std::vector<double> needed_spacings(int exponent, std::size_t n_terms, double least);

// The number of slices needed to represent every value exactly.
std::size_t slices_needed(const Rows& rows, const std::vector<double>& origin,
                          const std::vector<double>& spacings, const Parallel& parallel);

// As few spacings as represent every value exactly, for sums over these rows or some of them.
std::vector<double> slice_spacings(const Rows& rows, const std::vector<double>& origin,
                                   const ValueRange& range, const Parallel& parallel);

// The spacings of weighted sums and of sums of the weights. `sums` is empty if a product may have bits below
// the least of float64; the rows times a power of two may have spacings then (L21).
struct WeightedSpacings {
    std::vector<double> sums;
    std::vector<double> weights;
};

// `range` is ignored for integer rows.
WeightedSpacings weighted_spacings(const Rows& rows, const std::vector<double>& origin,
                                   const ValueRange& range, const Parallel& parallel);

}  // namespace kmosaic
