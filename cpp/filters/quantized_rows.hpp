// Rows quantised to bytes: X = (x - origin) / scale = v + delta, v the row's bytes and |delta| <= error(row):
// L8 in docs/developer/proof.md. The filters measure distances in these code units, |X - C|.
//
// uint8 rows are their own bytes and are read in place, and so are int8 rows but for the sign bit. Rows of other
// integers, float32 and float64 get a copy, an eighth to a half of their size. Those of 16-bit reals would take half
// as much again: their bytes are made anew whenever they are read (RowCodes), and only the errors are kept. A value
// outside the range of a byte only makes the row's error larger.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/aligned.hpp"
#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic {

// Up to this many features 255 x 127 x n_features fits 32 bits.
constexpr std::size_t kMaxByteFeatures = 65536;

class QuantizedRows {
  public:
    QuantizedRows(const Rows& rows, const Kernels& table, const Parallel& parallel);

    [[nodiscard]] std::size_t n_rows() const { return rows_.n_rows; }
    [[nodiscard]] std::size_t n_features() const { return rows_.n_features; }
    [[nodiscard]] std::size_t n_quads() const { return ceil_div(rows_.n_features, 4); }
    // n_features, rounded up to whole blocks of bytes.
    [[nodiscard]] std::size_t n_bytes() const { return round_up(rows_.n_features, kByteBlock); }
    // Whether all bytes are in memory; if not, RowCodes makes them.
    [[nodiscard]] bool stored() const { return rows_.dtype != kInt8 && !is_half(rows_.dtype); }
    [[nodiscard]] double scale() const { return scale_; }
    [[nodiscard]] float error(std::size_t row) const { return errors_.empty() ? 0.0F : errors_[row]; }
    // The errors of the rows from `row` on; null if all are 0.
    [[nodiscard]] const float* errors(std::size_t row) const {
        return errors_.empty() ? nullptr : errors_.data() + row;
    }
    [[nodiscard]] bool exact() const { return errors_.empty(); }
    // The mean error as a share of the rows' mean distance from their mean, `norms`.
    [[nodiscard]] double error_share(const std::vector<float>& norms) const;
    // (center - origin) / scale, each value within 2 roundings.
    void to_code_units(const double* center, double* out) const;
    // |a - b| / scale of two centroids, from above (L14).
    [[nodiscard]] double drift(const double* a, const double* b, const ExactKernels& table) const;

  private:
    friend class RowCodes;

    // Of stored rows.
    [[nodiscard]] const std::uint8_t* at(std::size_t row) const {
        if (!codes_.empty()) return codes_.data() + row * n_bytes();
        return row < first_in_tail_ ? static_cast<const std::uint8_t*>(rows_.data) + row * rows_.n_features
                                    : tail_.data() + (row - first_in_tail_) * n_bytes();
    }
    void copy_tail();
    void choose_scale(const ExactKernels& table);
    bool fit_bounded(const std::vector<double>& sample);
    void fit_unbounded(std::vector<double>& sample, std::size_t n_sample);
    void round_scale();
    // Writes the row's bytes; returns its error.
    float encode(std::size_t row, std::uint8_t* codes) const;

    Rows rows_;
    const ByteKernels* table_;
    // Kernels read whole blocks, and nothing may be read past the end of uint8 rows: the last rows are
    // copied.
    std::size_t first_in_tail_ = 0;
    AlignedVector<std::uint8_t> tail_;
    std::vector<double> origin_;
    std::vector<float> origin32_;  // the same, of 16-bit reals
    double scale_ = 1;
    AlignedVector<std::uint8_t> codes_;
    std::vector<float> errors_;
};

// One thread's access to the bytes of rows. Those that are not stored are made when they are first asked for, and
// are kept for the rows of one block.
class RowCodes {
  public:
    // Of blocks of at most so many rows.
    RowCodes(const QuantizedRows& rows, std::size_t n_together)
        : rows_(rows), made_(rows.stored() ? 0 : n_together, 0), codes_(made_.size() * rows.n_bytes()) {}

    // Begins the block whose first row this is. Bytes of the block before are no longer valid.
    void start(std::size_t first) {
        first_ = first;
        std::fill(made_.begin(), made_.end(), std::uint8_t{0});
    }
    // A row of the block: readable for n_bytes(); the bytes beyond n_features may have any value.
    [[nodiscard]] const std::uint8_t* operator[](std::size_t row) {
        return rows_.stored() ? rows_.at(row) : made(row);
    }

  private:
    const std::uint8_t* made(std::size_t row) {
        std::uint8_t* codes = codes_.data() + (row - first_) * rows_.n_bytes();
        if (!made_[row - first_]) rows_.encode(row, codes);
        made_[row - first_] = 1;
        return codes;
    }

    const QuantizedRows& rows_;
    std::size_t first_ = 0;
    std::vector<std::uint8_t> made_;     // whether, by row of the block
    AlignedVector<std::uint8_t> codes_;  // [row of the block]
};

}  // namespace kmosaic
