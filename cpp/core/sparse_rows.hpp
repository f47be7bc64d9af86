// Rows of which only the values that are not 0 are stored (CSR). Nothing is owned or copied.
//
// Values are float64 whatever the dtype of the rows, which decides how they are summed, and holds them
// exactly.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernels.hpp"

namespace kmosaic {

struct SparseRow {
    const double* values;
    const std::int32_t* columns;  // ascending, without repetition
    std::size_t size;
};

struct SparseRows {
    const double* values;
    const std::int32_t* columns;
    const std::int64_t* starts;  // [row], and the end of the last
    std::size_t n_rows;
    std::size_t n_features;
    const double* weights;  // [row], or null: every row counts once

    [[nodiscard]] SparseRow row(std::size_t i) const {
        return {values + starts[i], columns + starts[i], static_cast<std::size_t>(starts[i + 1] - starts[i])};
    }
    [[nodiscard]] double weight(std::size_t i) const { return weights ? weights[i] : 1; }
};

}  // namespace kmosaic
