// Makes rows and centroids of the fuzzer's bytes: the first ones choose the kind, the others are values, and
// a generator supplies values after the last byte. Arrays end exactly where their memory ends.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "kernels/dispatch.hpp"

#define REQUIRE(condition)                                                                 \
    do {                                                                                   \
        if (condition) break;                                                              \
        std::fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
        std::abort();                                                                      \
    } while (false)

namespace kmosaic::fuzzing {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

    std::uint8_t byte() {
        if (at_ < size_) return static_cast<std::uint8_t>(state_ = state_ * 31 + data_[at_], data_[at_++]);
        state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
        return static_cast<std::uint8_t>(state_ >> 56);
    }
    std::size_t below(std::size_t n) { return (byte() | std::size_t{byte()} << 8) % n; }
    template <class Items>
    auto one_of(const Items& items) {
        return items[below(items.size())];
    }
    template <class T>
    T bits() {
        std::uint8_t bytes[sizeof(T)];
        for (std::uint8_t& b : bytes) b = byte();
        T value;
        std::memcpy(&value, bytes, sizeof value);
        return value;
    }

  private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
    std::uint64_t state_ = 1;
};

// Lattice and constant values, whole numbers of few bits times a power of two, have exact distances in
// float64. For the other kinds the fuzzers check only that nothing crashes.
enum Kind { kLattice, kConstant, kBits, kExtreme, kMixed, kKinds };

struct Shape {
    std::size_t n_rows, n_features, n_clusters;

    explicit Shape(Input& in) {
        static constexpr std::array<std::size_t, 14> kFeatures = {1,  2,  3,  4,  7,  8,  16,
                                                                  31, 32, 33, 40, 64, 70, 200};
        n_features = in.one_of(kFeatures);
        n_rows = 1 + in.below(n_features > 64 ? 40 : 150);
        n_clusters = 1 + in.below(40);
    }
};

struct Case {
    explicit Case(Input& in) : shape(in), kind(static_cast<Kind>(in.below(kKinds))) {
        std::vector<std::string> names;
        for (const Variant& variant : kernel_variants())
            if (variant.supported) names.push_back(variant.name);
        select_kernels(in.one_of(names));
        dtype = static_cast<Dtype>(in.below(kDtypes));
        // What every value has: 7 bits and a sign in an integer of a byte, 8 bits in bfloat16.
        const int reach = is_half(dtype) ? 4 : 20;
        scale_ =
            is_integer(dtype) ? 1 : std::ldexp(1.0, static_cast<int>(in.below(40)) % (2 * reach) - reach);
        top_ = 2 + in.below(dtype == kUint8 ? 254 : dtype == kInt8 ? 126 : is_half(dtype) ? 250 : 1000);
        fill_rows(in);
        move_centers(in);
    }

    [[nodiscard]] Rows rows() const { return {data.get(), dtype, shape.n_rows, shape.n_features, nullptr}; }
    [[nodiscard]] Centers centers() const { return {places.data(), shape.n_clusters, shape.n_features}; }
    [[nodiscard]] bool exact() const { return kind == kLattice || kind == kConstant; }
    [[nodiscard]] double value(std::size_t row, std::size_t feature) const {
        const char* x = static_cast<const char*>(rows().row(row));
        double wide = 0;
        kernels().exact->widen[dtype](x + feature * size_of(dtype), 1, &wide);
        return wide;
    }

    // Moves some centroids, at first all, to rows or anywhere.
    void move_centers(Input& in) {
        const bool all = places.empty();
        places.resize(shape.n_clusters * shape.n_features);
        for (std::size_t j = 0; j < shape.n_clusters; ++j) {
            const std::size_t way = in.below(3);
            if (!all && way == 0) continue;
            const std::size_t row = in.below(shape.n_rows);
            for (std::size_t f = 0; f < shape.n_features; ++f) {
                const double place =
                    way == 1 ? value(row, f) : scale_ * static_cast<double>(in.below(2 * top_)) / 2;
                places[j * shape.n_features + f] = exact() ? place : way == 2 ? one(in) : place;
            }
        }
    }

    Shape shape;
    Kind kind;
    Dtype dtype;
    std::unique_ptr<char[]> data;
    std::vector<double> places;

  private:
    void fill_rows(Input& in) {
        data.reset(new char[shape.n_rows * rows().row_bytes()]);
        const double same = scale_ * static_cast<double>(in.below(top_));
        for (std::size_t i = 0; i < shape.n_rows * shape.n_features; ++i) {
            const double value = kind == kConstant ? same
                                 : exact()         ? scale_ * static_cast<double>(in.below(top_))
                                                   : one(in);
            switch (dtype) {
                case kUint8: put(i, in_range<std::uint8_t>(value)); break;
                case kInt8: put(i, in_range<std::int8_t>(value)); break;
                case kUint16: put(i, in_range<std::uint16_t>(value)); break;
                case kInt16: put(i, in_range<std::int16_t>(value)); break;
                case kFloat16: put(i, float16_bits(static_cast<float>(value))); break;
                case kBfloat16:
                    put(i, static_cast<std::uint16_t>(bits_of(static_cast<float>(value)) >> 16));
                    break;
                case kFloat32: put(i, static_cast<float>(value)); break;
                case kFloat64: put(i, value); break;
            }
        }
    }

    template <class T>
    void put(std::size_t i, T value) {
        std::memcpy(data.get() + i * sizeof value, &value, sizeof value);
    }

    static std::uint32_t bits_of(float value) {
        std::uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        return bits;
    }

    // Truncated; 0 where the exponent is too small, infinity where it is too large.
    static std::uint16_t float16_bits(float value) {
        const std::uint32_t bits = bits_of(value);
        const std::uint32_t size = bits & 0x7fffffffU;
        const std::uint32_t within = size < 0x38800000U ? 0 : (size - 0x38000000U) >> 13;
        return static_cast<std::uint16_t>((bits >> 16 & 0x8000U) | (size < 0x47800000U ? within : 0x7c00U));
    }

    template <class T>
    static T in_range(double value) {
        return value > 0 ? static_cast<T>(std::fmod(std::fmin(value, 1e15), std::numeric_limits<T>::max()))
                         : T{0};
    }

    double one(Input& in) {
        static constexpr double kInfinity = std::numeric_limits<double>::infinity();
        static constexpr std::array kExtremes = {0.0,        -0.0,
                                                 1.0,        1e-160,
                                                 -1e-160,    5e-324,
                                                 1e99,       -1e155,
                                                 1.7e308,    -1.7e308,
                                                 3e38,       kInfinity,
                                                 -kInfinity, std::numeric_limits<double>::quiet_NaN()};
        if (kind == kBits) return in.bits<double>();
        if (kind == kExtreme || in.below(4) == 0) return in.one_of(kExtremes);
        return static_cast<double>(in.bits<std::int32_t>()) *
               std::ldexp(1.0, static_cast<int>(in.below(200)) - 100);
    }

    double scale_;
    std::size_t top_;
};

inline Parallel threads(Input& in) {
    return {1 + in.below(3), [] { return false; }};
}

inline bool finite(const std::vector<double>& values) {
    for (const double value : values)
        if (!std::isfinite(value)) return false;
    return true;
}

}  // namespace kmosaic::fuzzing
