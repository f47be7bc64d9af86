// Rounding: the constants of the error bounds, and conversions that never round the wrong way. Lemmas are
// those of docs/developer/proof.md.
#pragma once

#include <cmath>
#include <limits>

namespace kmosaic {

// The unit roundoffs: one rounding changes a value by at most this share of it.
constexpr double kU32 = 0x1p-24;
constexpr double kU64 = 0x1p-53;

// Factors that cover all roundings of a short computation in float64, and of one in float32 (L2).
constexpr double kUp64 = 1 + 1e-9;
constexpr double kDown64 = 1 - 1e-9;
constexpr double kUp32 = 1 + 0x1p-20;
constexpr double kDown32 = 1 - 0x1p-20;

// Covers the second-order terms of a first-order error bound in float32 (L2).
constexpr double kSecondOrder = 1.001;

// A float32 that is not below the value.
inline float above(double value) {
    return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
}

}  // namespace kmosaic
