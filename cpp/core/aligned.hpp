// Vectors whose data starts on a cache line, so that loading a whole register touches one line, not two.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace kmosaic {

template <class T>
struct AlignedAllocator {
    using value_type = T;
    static constexpr std::align_val_t kAlignment{64};

    AlignedAllocator() = default;
    template <class Other>
    AlignedAllocator(const AlignedAllocator<Other>&) {}

    T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kAlignment)); }
    void deallocate(T* data, std::size_t) { ::operator delete(data, kAlignment); }

    bool operator==(const AlignedAllocator&) const { return true; }
};

template <class T>
using AlignedVector = std::vector<T, AlignedAllocator<T>>;

}  // namespace kmosaic
