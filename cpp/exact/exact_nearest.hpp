// The exact nearest of a few centroids: decided in float64 where its error bound allows, else in
// double-double, else by exact sums (L15 in docs/developer/proof.md). Ties go to the lowest index.
#pragma once

#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

// Below this a float64 sum of squares may have lost its low bits to underflow (L15).
constexpr double kUnderflow = 1e-280;

// One thread's last stage of an assignment step. The kernels' table is one throughout: another thread may
// select another.
class ExactNearest {
  public:
    ExactNearest(const Rows& rows, const Centers& centers, const Kernels& table)
        : rows_(rows), centers_(centers), table_(table), row_(rows.n_features) {}

    // The row in float64, valid until the next call.
    const double* widen(std::size_t row) {
        table_.exact->widen[rows_.dtype](rows_.row(row), rows_.n_features, row_.data());
        return row_.data();
    }

    // The nearest of the candidates, which are in ascending order; of all centroids if there are none. Keeps
    // those that float64 cannot tell from it. If a value is NaN or a distance infinite, the first candidate
    // wins.
    std::int32_t operator()(std::size_t row, std::vector<std::size_t>& candidates);

    // The squared distances of the last call's candidates.
    [[nodiscard]] const std::vector<double>& distances() const { return distances_; }

  private:
    const Rows& rows_;
    const Centers& centers_;
    const Kernels& table_;
    std::vector<double> row_;
    std::vector<double> distances_;
};

}  // namespace kmosaic
