// Equal rows merged into one, for rows of at most 24 bits: one, two or three integers of a
// byte, or one of two. Signed integers are told apart, and ordered, by their bits.
//
// A bitmap has one bit for every possible row (2 MB for RGB). With the number of rows present before each 64
// bits of it (1 MB), the index of a distinct row is a look-up and a count of bits, so that no row's index
// need be stored.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"

namespace kmosaic {

class DistinctRows {
  public:
    // Whether these rows are of a kind that can be merged, and few enough to count in 32 bits.
    static bool mergeable(const Rows& rows);

    // The distinct rows of mergeable rows. The rows are not kept: pass the same ones to `counts` and
    // `expand`. Stops once there are more than `most`; then only size() is meaningful.
    DistinctRows(const Rows& rows, std::size_t most, const Parallel& parallel);

    [[nodiscard]] std::size_t size() const { return size_; }

    // Writes each distinct row once, in ascending order of its bits: size() rows of the dtype and number of features of
    // the rows.
    void write_rows(void* out, const Parallel& parallel) const;

    // How many of the rows equal each distinct row.
    [[nodiscard]] std::vector<std::uint32_t> counts(const Rows& rows, const Parallel& parallel) const;

    // labels[i] = distinct_labels[the index of row i among the distinct rows].
    void expand(const Rows& rows, const std::int32_t* distinct_labels, std::int32_t* labels,
                const Parallel& parallel) const;

    // The same for labels of a byte.
    void expand(const Rows& rows, const std::uint8_t* distinct_labels, std::uint8_t* labels,
                const Parallel& parallel) const;

  private:
    // A row above all distinct rows has the index size(). None of the merged rows is, but someone may have
    // written to them since, and must not cause an access beyond a table.
    [[nodiscard]] std::size_t table_size() const { return size_ + 1; }
    [[nodiscard]] KeySet set() const { return {bitmap_.data(), ranks_.data()}; }

    KeyKind kind_;
    std::size_t size_;
    std::vector<std::uint64_t> bitmap_;
    std::vector<std::uint32_t> ranks_;
};

}  // namespace kmosaic
