// Double-double arithmetic: a value is the unevaluated sum of two doubles, about 106 bits.
// Dekker (1971), "A floating-point technique for extending the available precision", Numer. Math. 18;
// Joldes, Muller, Popescu (2017), "Tight and rigorous error bounds for basic building blocks of
// double-word arithmetic", ACM TOMS 44(2): AccurateDWPlusDW has relative error under 3u^2 + 13u^3, DWTimesDW3
// under 4u^2, u = 2^-53. Needs round-to-nearest and no contraction (CMakeLists.txt: -ffp-contract=off).
//
// Everything here has internal linkage: each instruction set's object keeps its own copy, so that the linker
// cannot hand an AVX-512 copy to a machine without it.
#pragma once

#include <cmath>

namespace kmosaic {
namespace {

struct DoubleDouble {
    double high = 0;
    double low = 0;
};

// a + b exactly (Knuth's TwoSum).
inline DoubleDouble two_sum(double a, double b) {
    const double sum = a + b;
    const double part = sum - a;
    return {sum, (a - (sum - part)) + (b - part)};
}

// a + b exactly where |a| >= |b| or a = 0 (Dekker's Fast2Sum).
inline DoubleDouble fast_two_sum(double a, double b) {
    const double sum = a + b;
    return {sum, b - (sum - a)};
}

// a b exactly.
inline DoubleDouble two_product(double a, double b) {
    const double product = a * b;
    return {product, std::fma(a, b, -product)};
}

inline DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
    const DoubleDouble high = two_sum(a.high, b.high);
    const DoubleDouble low = two_sum(a.low, b.low);
    const DoubleDouble sum = fast_two_sum(high.high, high.low + low.high);
    return fast_two_sum(sum.high, low.low + sum.low);
}

inline DoubleDouble operator+(DoubleDouble a, double b) {
    const DoubleDouble sum = two_sum(a.high, b);
    return fast_two_sum(sum.high, a.low + sum.low);
}

inline DoubleDouble operator-(DoubleDouble a) {
    return {-a.high, -a.low};
}
inline DoubleDouble operator-(DoubleDouble a, DoubleDouble b) {
    return a + (-b);
}

inline DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
    const DoubleDouble high = two_product(a.high, b.high);
    const double low = std::fma(a.low, b.high, std::fma(a.high, b.low, a.low * b.low));
    return fast_two_sum(high.high, high.low + low);
}

inline DoubleDouble operator*(DoubleDouble a, double b) {
    const DoubleDouble high = two_product(a.high, b);
    return fast_two_sum(high.high, std::fma(a.low, b, high.low));
}

// a / b, to about 2u^2.
inline DoubleDouble operator/(DoubleDouble a, DoubleDouble b) {
    const double first = a.high / b.high;
    const DoubleDouble remainder = a - b * first;
    return fast_two_sum(first, remainder.high / b.high);
}

}  // namespace
}  // namespace kmosaic
