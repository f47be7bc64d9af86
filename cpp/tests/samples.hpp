// Data for the tests: rows of every dtype that end exactly where their memory ends, so that AddressSanitizer
// sees a read past the last value, and that begin as badly aligned as their type allows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "check.hpp"
#include "core/rows.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic::testing {

// A real number of 16 bits, of so many bits of exponent; conversions are by the definition of IEEE 754.
template <int ExponentBits>
struct Half {
    static constexpr int kMantissaBits = 15 - ExponentBits;
    static constexpr int kBias = (1 << (ExponentBits - 1)) - 1;
    static constexpr int kSpecial = (1 << ExponentBits) - 1;  // the exponent of infinity and NaN

    std::uint16_t bits = 0;

    Half() = default;
    // The nearest, ties to even.
    explicit Half(double value) {
        int exponent = 0;
        const double size = std::isfinite(value) ? std::fabs(value) : 0;
        std::frexp(size, &exponent);
        const int least = size > 0 ? std::max(exponent - 1, 1 - kBias) : 1 - kBias;
        const double units = std::nearbyint(std::ldexp(size, kMantissaBits - least));
        // A whole number of units: what does not fit the mantissa carries into the exponent.
        int whole = kSpecial << kMantissaBits;
        if (least <= kBias)
            whole = std::min(whole, static_cast<int>(units) + ((least - 1 + kBias) << kMantissaBits));
        if (std::isinf(value)) whole = kSpecial << kMantissaBits;
        if (std::isnan(value)) whole = (kSpecial << kMantissaBits) + 1;
        bits = static_cast<std::uint16_t>(whole | (std::signbit(value) ? 0x8000 : 0));
    }
    explicit operator double() const {
        const int mantissa = bits & ((1 << kMantissaBits) - 1);
        const int exponent = bits >> kMantissaBits & kSpecial;
        double size = std::ldexp(mantissa + (exponent > 0 ? 1 << kMantissaBits : 0),
                                 std::max(exponent, 1) - kBias - kMantissaBits);
        if (exponent == kSpecial) size = mantissa ? std::nan("") : HUGE_VAL;
        return bits & 0x8000 ? -size : size;
    }
};
using Float16 = Half<5>;
using Bfloat16 = Half<8>;

template <class T>
constexpr bool kIsInteger = std::is_integral_v<T>;

template <class T>
constexpr Dtype dtype_of() {
    if constexpr (std::is_same_v<T, Float16>) return kFloat16;
    if constexpr (std::is_same_v<T, Bfloat16>) return kBfloat16;
    if constexpr (sizeof(T) == 1) return std::is_signed_v<T> ? kInt8 : kUint8;
    if constexpr (sizeof(T) == 2) return std::is_signed_v<T> ? kInt16 : kUint16;
    if constexpr (sizeof(T) == 4) return kFloat32;
    if constexpr (sizeof(T) == 8) return kFloat64;
}

// The greatest and the least value of an integer type.
template <class T>
constexpr double kLargest = kIsInteger<T> ? static_cast<double>(std::numeric_limits<T>::max()) : 0.0;
template <class T>
constexpr double kLeast = kIsInteger<T> ? static_cast<double>(std::numeric_limits<T>::min()) : 0.0;

// The value as T stores it: integers as near as their range allows.
template <class T>
T stored(double value) {
    if constexpr (kIsInteger<T>)
        return static_cast<T>(std::clamp(value, kLeast<T>, kLargest<T>));
    else
        return static_cast<T>(value);
}

// n values in malloc'ed memory of their own, aligned to no more than alignof(T).
template <class T>
class Values {
  public:
    explicit Values(std::size_t n) : n_(n), memory_(std::malloc((n + 1) * sizeof(T))) {
        if (!memory_) throw std::bad_alloc();
        std::memset(memory_, 0, (n + 1) * sizeof(T));
    }
    explicit Values(const std::vector<double>& values) : Values(values.size()) {
        for (std::size_t i = 0; i < n_; ++i) data()[i] = stored<T>(values[i]);
    }
    Values(const Values&) = delete;
    Values& operator=(const Values&) = delete;
    ~Values() { std::free(memory_); }

    [[nodiscard]] T* data() { return static_cast<T*>(memory_) + 1; }
    [[nodiscard]] const T* data() const { return static_cast<const T*>(memory_) + 1; }
    [[nodiscard]] std::size_t size() const { return n_; }
    T& operator[](std::size_t i) { return data()[i]; }
    const T& operator[](std::size_t i) const { return data()[i]; }

  private:
    std::size_t n_;
    void* memory_;
};

template <class T>
Rows rows_of(const Values<T>& values, std::size_t n_features, const double* weights = nullptr) {
    return {values.data(), dtype_of<T>(), values.size() / n_features, n_features, weights};
}

using Random = std::mt19937_64;

// [0, 1), the same on every platform (std's distributions are not).
inline double uniform(Random& random) {
    return static_cast<double>(random() >> 11) * 0x1p-53;
}

inline std::size_t below(Random& random, std::size_t n) {
    return static_cast<std::size_t>(random() % n);
}

// A value of T: any integer it has, or a real number between -1 and 1 with all its bits in use.
template <class T>
T any_value(Random& random) {
    if constexpr (kIsInteger<T>)
        return static_cast<T>(
            kLeast<T> +
            static_cast<double>(below(random, static_cast<std::size_t>(kLargest<T> - kLeast<T>) + 1)));
    else
        return static_cast<T>(2 * uniform(random) - 1);
}

template <class T>
void fill_any(Values<T>& values, Random& random) {
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = any_value<T>(random);
}

inline std::vector<std::string> supported_variants() {
    std::vector<std::string> names;
    for (const Variant& variant : kernel_variants())
        if (variant.supported) names.push_back(variant.name);
    return names;
}

inline const Kernels& table(const std::string& name) {
    select_kernels(name);
    return kernels();
}

// Odd sizes round every vector width and feature chunk.
inline std::vector<std::size_t> feature_counts() {
    std::vector<std::size_t> sizes;
    for (std::size_t n = 1; n <= 40; ++n) sizes.push_back(n);
    sizes.insert(sizes.end(), {255, 256, 257, 784, 1000});
    return sizes;
}

template <class Visit>
void for_each_dtype(Visit visit) {
    visit(std::uint8_t{});
    visit(std::int8_t{});
    visit(std::uint16_t{});
    visit(std::int16_t{});
    visit(Float16{});
    visit(Bfloat16{});
    visit(float{});
    visit(double{});
}

template <class A, class B>
bool same_bits(const A& a, const B& b) {
    static_assert(sizeof(*a.data()) == sizeof(*b.data()));
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(*a.data())) == 0;
}

inline bool same_bits(double a, double b) {
    return std::memcmp(&a, &b, sizeof a) == 0;
}

inline std::string name_of(Dtype dtype) {
    return kDtypeNames[dtype];
}

// Real numbers over many magnitudes, so that the order of additions shows in the bits.
inline std::vector<double> reals(std::size_t n, Random& random) {
    std::vector<double> values(n);
    for (double& value : values)
        value = std::ldexp(2 * uniform(random) - 1, static_cast<int>(below(random, 40)) - 20);
    return values;
}

// Calls `visit` with each variant's kernels of one kind and with each number of features.
template <class Kernel, class Visit>
void for_each_variant_and_size(const Kernel* Kernels::* kind, Visit visit) {
    for (const std::string& name : supported_variants()) {
        for (const std::size_t n : feature_counts()) {
            context() = name + " n_features=" + std::to_string(n);
            visit(*(table(name).*kind), n);
        }
    }
}

}  // namespace kmosaic::testing
