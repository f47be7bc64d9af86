// Equal rows merged into one, for rows of at most 24 bits: uint8 with one, two or three features, uint16 with one.
//
// A bitmap has one bit for every colour there could be (2 MB for RGB). With the number of colours present before each of
// its words (1 MB), the number of a colour is a look-up and a count of bits, so no row's number need be stored.
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

    // The colours of rows that are mergeable. The rows are not kept: hand the same ones to `counts` and `expand`. Stops
    // looking once there are more than `most`, and is then good for nothing but to say so.
    DistinctRows(const Rows& rows, std::size_t most, const Parallel& parallel);

    [[nodiscard]] std::size_t size() const { return size_; }

    // Each colour once, in ascending order: `size` rows of the dtype and the number of features merged.
    void write_rows(void* out, const Parallel& parallel) const;

    // How many of the rows have each colour.
    [[nodiscard]] std::vector<std::uint32_t> counts(const Rows& rows, const Parallel& parallel) const;

    // labels[i] = distinct_labels[the number of row i's colour].
    void expand(const Rows& rows, const std::int32_t* distinct_labels, std::int32_t* labels,
                const Parallel& parallel) const;

  private:
    // A colour beyond all those here has the number `size`. None of the rows merged has; but others may have
    // written to them since, and that must not reach beyond a table.
    [[nodiscard]] std::size_t table_size() const { return size_ + 1; }
    [[nodiscard]] KeySet set() const { return {bitmap_.data(), ranks_.data()}; }

    KeyKind kind_;
    std::size_t size_;
    std::vector<std::uint64_t> bitmap_;
    std::vector<std::uint32_t> ranks_;
};

}  // namespace kmosaic
