// Rows ordered by a hash of their values, so that the order depends on the values alone. Equal rows are
// adjacent.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "core/sparse_rows.hpp"

namespace kmosaic {

// A 64-bit hash of each row's values: equal rows hash alike whatever their dtype; -0 equals 0.
void hash_rows(const Rows& rows, std::uint64_t* hashes, const Parallel& parallel);
void hash_rows(const SparseRows& rows, std::uint64_t* hashes, const Parallel& parallel);

struct HashOrder {
    std::vector<std::int64_t> rows;    // equal hashes in the order of their row numbers
    std::vector<std::int64_t> starts;  // where each run of equal hashes starts
};

HashOrder hash_order(const Rows& rows, const Parallel& parallel);

// Of rows whose hashes are known.
HashOrder order_of(std::vector<std::uint64_t> hashes, const Parallel& parallel);

}  // namespace kmosaic
