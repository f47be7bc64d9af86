#include "core/distinct_rows.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <deque>
#include <limits>
#include <mutex>

#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlockRows = 1 << 16;

// Each thread has counters of its own; there are no more threads than these, or than need the memory of the
// rows' labels.
constexpr std::size_t kMinCounters = 2;

KeyKind kind_of(const Rows& rows) {
    return size_of(rows.dtype) == 2 ? kOneUint16 : static_cast<KeyKind>(rows.n_features - 1);
}

std::size_t bits(KeyKind kind) {
    constexpr std::size_t kBits[kKeyKinds] = {8, 16, 24, 16};
    return kBits[kind];
}

void write_key(KeyKind kind, std::size_t key, std::size_t index, void* out) {
    auto* bytes = static_cast<std::uint8_t*>(out);
    if (kind == kOneUint16) {
        static_cast<std::uint16_t*>(out)[index] = static_cast<std::uint16_t>(key);
        return;
    }
    const auto n_features = static_cast<std::size_t>(kind) + 1;
    for (std::size_t f = n_features; f > 0; --f, key >>= 8)
        bytes[index * n_features + f - 1] = static_cast<std::uint8_t>(key);
}

}  // namespace

bool DistinctRows::mergeable(const Rows& rows) {
    const bool low_dim = rows.integer() && rows.n_features <= (size_of(rows.dtype) == 1 ? 3 : 1);
    return low_dim && !rows.weights && rows.n_rows <= std::numeric_limits<std::uint32_t>::max();
}

DistinctRows::DistinctRows(const Rows& rows, std::size_t most, const Parallel& parallel)
    : kind_(kind_of(rows)),
      size_(0),
      bitmap_((std::size_t{1} << bits(kind_)) / 64, 0),
      ranks_(bitmap_.size(), 0) {
    const DistinctRowKernels& kernel = *kernels().distinct_rows;
    std::atomic<std::size_t> found{0};
    parallel_blocks(rows.n_rows, kBlockRows, parallel, [&] {
        return [&](std::size_t first, std::size_t n) {
            if (found <= most) found += kernel.mark[kind_](rows.row(first), n, bitmap_.data());
        };
    });
    size_ = kernel.rank(bitmap_.data(), bitmap_.size(), ranks_.data());
}

void DistinctRows::write_rows(void* out, const Parallel& parallel) const {
    constexpr std::size_t kMapBlock = 4096;
    parallel_blocks(bitmap_.size(), kMapBlock, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t w = first; w < first + count; ++w) {
                std::size_t index = ranks_[w];
                for (std::uint64_t left = bitmap_[w]; left != 0; left &= left - 1)
                    write_key(kind_, w * 64 + static_cast<std::size_t>(std::countr_zero(left)), index++, out);
            }
        };
    });
}

std::vector<std::uint32_t> DistinctRows::counts(const Rows& rows, const Parallel& parallel) const {
    const DistinctRowKernels& kernel = *kernels().distinct_rows;
    std::deque<std::vector<std::uint32_t>> counters;
    std::mutex mutex;
    const std::size_t max_counters = std::max(rows.n_rows / (size_ + 1), kMinCounters);
    const Parallel few{std::min(parallel.n_threads, max_counters), parallel.interrupted};
    parallel_blocks(rows.n_rows, kBlockRows, few, [&] {
        const std::lock_guard lock(mutex);
        return [&, &own = counters.emplace_back(table_size(), 0U)](std::size_t first, std::size_t n) {
            kernel.count[kind_](rows.row(first), n, set(), own.data());
        };
    });
    std::vector<std::uint32_t> total(size_, 0);
    for (const std::vector<std::uint32_t>& counter : counters)
        for (std::size_t c = 0; c < size_; ++c) total[c] += counter[c];
    return total;
}

void DistinctRows::expand(const Rows& rows, const std::int32_t* distinct_labels, std::int32_t* labels,
                          const Parallel& parallel) const {
    const DistinctRowKernels& kernel = *kernels().distinct_rows;
    std::vector<std::int32_t> padded(table_size(), 0);
    std::copy_n(distinct_labels, size_, padded.begin());
    parallel_blocks(rows.n_rows, kBlockRows, parallel, [&] {
        return [&](std::size_t first, std::size_t n) {
            kernel.look_up[kind_](rows.row(first), n, set(), padded.data(), labels + first);
        };
    });
}

void DistinctRows::expand(const Rows& rows, const std::uint8_t* distinct_labels, std::uint8_t* labels,
                          const Parallel& parallel) const {
    const DistinctRowKernels& kernel = *kernels().distinct_rows;
    std::vector<std::int32_t> padded(table_size(), 0);
    std::copy_n(distinct_labels, size_, padded.begin());
    constexpr std::size_t kBytesBlock = 1 << 12;
    parallel_blocks(rows.n_rows, kBytesBlock, parallel, [&] {
        return [&, wide = std::vector<std::int32_t>(kBytesBlock)](std::size_t first, std::size_t n) mutable {
            kernel.look_up[kind_](rows.row(first), n, set(), padded.data(), wide.data());
            std::transform(wide.begin(), wide.begin() + static_cast<std::ptrdiff_t>(n), labels + first,
                           [](std::int32_t label) { return static_cast<std::uint8_t>(label); });
        };
    });
}

}  // namespace kmosaic
