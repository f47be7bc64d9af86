// An order of rows that depends on their values alone: by a hash of them. Equal rows stand next to each other.
#pragma once

#include <cstdint>
#include <vector>

#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// A 64-bit hash of each row's values: equal rows hash alike whatever their dtype; -0 equals 0.
void hash_rows(const Rows& rows, std::uint64_t* hashes, const Parallel& parallel);

struct CanonicalOrder {
    std::vector<std::int64_t> rows;    // equal hashes in the order of their row numbers
    std::vector<std::int64_t> starts;  // where each run of equal hashes starts
};

CanonicalOrder canonical_order(const Rows& rows, const Parallel& parallel);

}  // namespace kmosaic
