// What the bindings share: arrays in and out, and work without the GIL that Ctrl-C ends.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <chrono>
#include <cstddef>
#include <functional>
#include <stdexcept>

#include "bindings/gil.hpp"
#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic {

namespace nb = nanobind;

using AnyRows = nb::ndarray<nb::ro, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using CenterArray = nb::ndarray<const double, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

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

inline void require(bool condition, const char* message) {
    if (!condition) throw std::invalid_argument(message);
}

inline Dtype dtype_of(const AnyRows& rows) {
    if (rows.dtype() == nb::dtype<std::uint8_t>()) return kUint8;
    if (rows.dtype() == nb::dtype<std::uint16_t>()) return kUint16;
    if (rows.dtype() == nb::dtype<float>()) return kFloat32;
    if (rows.dtype() == nb::dtype<double>()) return kFloat64;
    throw nb::type_error("rows must be uint8, uint16, float32 or float64");
}

// The rows of an array, each counting once.
inline Rows rows_of(const AnyRows& array) {
    return {array.data(), dtype_of(array), array.shape(0), array.shape(1), nullptr};
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
        return work(parallel);
    } catch (const Interrupted&) {
        throw nb::python_error();
    }
}

}  // namespace kmosaic
