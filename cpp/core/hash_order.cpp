#include "core/hash_order.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "kernels/dispatch.hpp"
#include "kernels/row_hash.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 512;
// Hashes are distributed to buckets by their leading bits, about 16 per bucket; then each bucket is sorted in
// cache.
constexpr std::size_t kBucketSize = 16;
constexpr int kMaxBits = 16;

struct Hashed {
    std::uint64_t hash;
    std::int64_t row;
};

struct Buckets {
    std::vector<Hashed> hashed;
    std::vector<std::size_t> starts;  // of each bucket, and the end of the last
};

Buckets distribute(const std::vector<std::uint64_t>& hashes) {
    const int bits = std::min(static_cast<int>(std::bit_width(hashes.size() / kBucketSize)), kMaxBits);
    const auto bucket_of = [&](std::uint64_t hash) {
        return static_cast<std::size_t>(bits > 0 ? hash >> (64 - bits) : 0);
    };
    Buckets buckets{std::vector<Hashed>(hashes.size()),
                    std::vector<std::size_t>((std::size_t{1} << bits) + 1, 0)};
    for (const std::uint64_t hash : hashes) ++buckets.starts[bucket_of(hash) + 1];
    for (std::size_t b = 1; b < buckets.starts.size(); ++b) buckets.starts[b] += buckets.starts[b - 1];
    std::vector<std::size_t> next = buckets.starts;
    for (std::size_t i = 0; i < hashes.size(); ++i)
        buckets.hashed[next[bucket_of(hashes[i])]++] = {hashes[i], static_cast<std::int64_t>(i)};
    return buckets;
}

}  // namespace

void hash_rows(const Rows& rows, std::uint64_t* hashes, const Parallel& parallel) {
    const auto hash = kernels().exact->hash[rows.dtype];
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t i = first; i < first + count; ++i)
                hashes[i] = hash(rows.row(i), rows.n_features);
        };
    });
}

// The hash of a row of zeros, and for each value that is none the difference it makes.
void hash_rows(const SparseRows& rows, std::uint64_t* hashes, const Parallel& parallel) {
    std::uint64_t zeros = 0;
    for (std::size_t f = 0; f < rows.n_features; ++f) zeros += hashed_value(0.0, f);
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t i = first; i < first + count; ++i) {
                const SparseRow row = rows.row(i);
                std::uint64_t sum = zeros;
                for (std::size_t v = 0; v < row.size; ++v) {
                    const auto f = static_cast<std::size_t>(row.columns[v]);
                    sum += hashed_value(row.values[v], f) - hashed_value(0.0, f);
                }
                hashes[i] = split_mix(sum);
            }
        };
    });
}

HashOrder hash_order(const Rows& rows, const Parallel& parallel) {
    std::vector<std::uint64_t> hashes(rows.n_rows);
    hash_rows(rows, hashes.data(), parallel);
    return order_of(std::move(hashes), parallel);
}

HashOrder order_of(std::vector<std::uint64_t> hashes, const Parallel& parallel) {
    const std::size_t n_rows = hashes.size();
    Buckets buckets = distribute(hashes);
    std::vector<std::uint64_t>().swap(hashes);
    constexpr std::size_t kTask = 64;
    parallel_blocks(buckets.starts.size() - 1, kTask, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t b = first; b < first + count; ++b)
                std::sort(buckets.hashed.data() + buckets.starts[b],
                          buckets.hashed.data() + buckets.starts[b + 1],
                          [](const Hashed& x, const Hashed& y) {
                              return x.hash != y.hash ? x.hash < y.hash : x.row < y.row;
                          });
        };
    });
    HashOrder order;
    order.rows.reserve(n_rows);
    for (std::size_t i = 0; i < n_rows; ++i) {
        if (i == 0 || buckets.hashed[i].hash != buckets.hashed[i - 1].hash)
            order.starts.push_back(static_cast<std::int64_t>(i));
        order.rows.push_back(buckets.hashed[i].row);
    }
    return order;
}

}  // namespace kmosaic
