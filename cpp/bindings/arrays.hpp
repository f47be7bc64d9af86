// Shared by the bindings: arrays in and out, and work without the GIL that Ctrl-C interrupts.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "bindings/gil.hpp"
#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic {

namespace nb = nanobind;

// An array that is never converted: a copy of another type or layout might be freed while its values are
// still read, and results written to it would be lost. Its values are aligned to their type.
template <class... Args>
class Array : public nb::ndarray<Args..., nb::c_contig, nb::device::cpu> {
  public:
    using Plain = nb::ndarray<Args..., nb::c_contig, nb::device::cpu>;

    // NumPy has no bfloat16 of its own, and no way to hand one out: arrays of the one of ml_dtypes come in as int16.
    bool bfloat16 = false;

    [[nodiscard]] bool aligned() const {
        const std::size_t bytes = std::max<std::size_t>(Plain::itemsize(), 1);
        return reinterpret_cast<std::uintptr_t>(Plain::data()) % bytes == 0;
    }
};

// Whether this is a NumPy array of ml_dtypes.bfloat16.
inline bool is_bfloat16(nb::handle array) noexcept {
    try {
        const nb::object dtype = nb::getattr(array, "dtype", nb::none());
        const nb::object name = nb::getattr(dtype, "name", nb::none());
        return nb::isinstance<nb::str>(name) && std::strcmp(nb::cast<nb::str>(name).c_str(), "bfloat16") == 0;
    } catch (const std::exception&) {
        return false;
    }
}

// A view of its bits, or none.
inline nb::object as_int16(nb::handle array) noexcept {
    try {
        return array.attr("view")("int16");
    } catch (const std::exception&) {
        return {};
    }
}

}  // namespace kmosaic

namespace nanobind::detail {

template <class... Args>
struct type_caster<kmosaic::Array<Args...>> {
    using Plain = typename kmosaic::Array<Args...>::Plain;
    NB_TYPE_CASTER(kmosaic::Array<Args...>, make_caster<Plain>::Name)

    template <class Flags>
    bool from_python(handle source, Flags flags, cleanup_list* cleanup) noexcept {
        constexpr auto kConvert = static_cast<Flags>(cast_flags::convert);
        const auto never_converted = static_cast<Flags>(flags & ~kConvert);
        make_caster<Plain> caster;
        object bits;
        if (!caster.from_python(source, never_converted, cleanup)) {
            // Asked last, since NumPy makes the name of a type anew each time.
            if (!kmosaic::is_bfloat16(source)) return false;
            bits = kmosaic::as_int16(source);
            if (!bits.is_valid() || !caster.from_python(bits, never_converted, cleanup)) return false;
            value.bfloat16 = true;
        }
        static_cast<Plain&>(value) = std::move(caster.value);
        return !value.is_valid() || value.aligned();
    }
};

}  // namespace nanobind::detail

namespace kmosaic {

using AnyRows = Array<nb::ro, nb::ndim<2>>;
using CenterArray = Array<const double, nb::ndim<2>>;
using Labels = Array<const std::int32_t, nb::ndim<1>>;
using MutableLabels = Array<std::int32_t, nb::ndim<1>>;

template <class T, class... Shape>
using Result = nb::ndarray<nb::numpy, T, Shape...>;

template <class T>
struct Buffer {
    T* data;
    nb::capsule owner;
};

template <class T>
Buffer<T> make_buffer(std::size_t size) {
    T* data = new T[size]();
    return {data, nb::capsule(data, [](void* p) noexcept { delete[] static_cast<T*>(p); })};
}

template <class T>
Result<T, nb::ndim<1>> copied(const std::vector<T>& values) {
    auto out = make_buffer<T>(values.size());
    std::copy(values.begin(), values.end(), out.data);
    return {out.data, {values.size()}, out.owner};
}

inline void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

constexpr const char* kDtypesMessage =
    "rows must be uint8, int8, uint16, int16, float16, bfloat16, float32 or float64";

inline Dtype dtype_of(const AnyRows& rows) {
    constexpr nb::dlpack::dtype kFloat16Type{static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float), 16, 1};
    if (rows.dtype() == nb::dtype<std::uint8_t>()) return kUint8;
    if (rows.dtype() == nb::dtype<std::int8_t>()) return kInt8;
    if (rows.dtype() == nb::dtype<std::uint16_t>()) return kUint16;
    if (rows.dtype() == nb::dtype<std::int16_t>()) return rows.bfloat16 ? kBfloat16 : kInt16;
    if (rows.dtype() == kFloat16Type) return kFloat16;
    if (rows.dtype() == nb::dtype<float>()) return kFloat32;
    if (rows.dtype() == nb::dtype<double>()) return kFloat64;
    throw nb::type_error(kDtypesMessage);
}

// The rows of an array, each counting once.
inline Rows rows_of(const AnyRows& array) {
    require(array.shape(1) > 0, "rows must have at least one feature");
    return {array.data(), dtype_of(array), array.shape(0), array.shape(1), nullptr};
}

// Labels are int32, which limits the number of clusters.
inline void require_clusters(std::size_t n_clusters) {
    require(n_clusters > 0 && n_clusters <= INT32_MAX, "from 1 to 2**31 - 1 clusters are needed");
}

inline Centers centers_of(const CenterArray& centers, const Rows& rows) {
    require(centers.shape(1) == rows.n_features, "centers must have as many features as rows");
    require_clusters(centers.shape(0));
    return {centers.data(), centers.shape(0), centers.shape(1)};
}

// The calling thread checks for signals, at most every 50 ms.
inline std::function<bool()> signals_pending() {
    using Clock = std::chrono::steady_clock;
    return [last = Clock::now()]() mutable {
        if (Clock::now() - last < std::chrono::milliseconds(50)) return false;
        last = Clock::now();
        return signal_raised();
    };
}

template <class Work>
auto without_gil(std::size_t n_threads, Work work) {
    const Parallel parallel{n_threads, signals_pending()};
    try {
        const WithoutGil released;
        prepare_to_throw();
        return work(parallel);
    } catch (const Interrupted&) {
        throw nb::python_error();
    }
}

// float64 weights, or uint32 counts of the equal rows that each integer row stands for.
using Weights = Array<nb::ro, nb::ndim<1>>;
using Values = Array<const double, nb::ndim<1>>;

inline std::vector<double> vector_of(const Values& values) {
    return {values.data(), values.data() + values.shape(0)};
}

inline Rows rows_of(const AnyRows& array, const std::optional<Weights>& weights) {
    Rows rows = rows_of(array);
    if (!weights) return rows;
    require(weights->shape(0) == rows.n_rows, "weights must have one value a row");
    if (weights->dtype() == nb::dtype<double>()) {
        rows.weights = static_cast<const double*>(weights->data());
        return rows;
    }
    if (weights->dtype() != nb::dtype<std::uint32_t>())
        throw nb::type_error("weights must be float64, or uint32 counts of equal rows");
    require(rows.integer(), "counts of equal rows are for integer rows");
    rows.counts = static_cast<const std::uint32_t*>(weights->data());
    return rows;
}

inline bool same_rows(const Rows& a, const Rows& b) {
    return a.data == b.data && a.dtype == b.dtype && a.n_rows == b.n_rows && a.n_features == b.n_features;
}

}  // namespace kmosaic
