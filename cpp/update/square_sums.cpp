#include "update/square_sums.hpp"

#include <algorithm>
#include <cstdint>

#include "kernels/dispatch.hpp"
#include "kernels/double_double.hpp"
#include "update/cluster_sums.hpp"

namespace kmosaic {

namespace {

// Values whose squares are added side by side: several short rows fill the registers.
constexpr std::size_t kSquaresWidth = 32;

}  // namespace

SquareSums::SquareSums(const std::vector<double>& origin, bool weighted)
    : tile_(weighted ? 1 : ceil_div(kSquaresWidth, origin.size())),
      at_zero_(!weighted && std::all_of(origin.begin(), origin.end(), [](double o) { return o == 0; })),
      n_features_(origin.size()) {
    for (std::size_t t = 0; t < tile_; ++t) origin_.insert(origin_.end(), origin.begin(), origin.end());
    clear();
}

void SquareSums::clear() {
    high_.assign(origin_.size(), 0.0);
    low_.assign(origin_.size(), 0.0);
    n_rows_ = 0;
}

void SquareSums::add(const Rows& rows, std::size_t first, std::size_t last) {
    const auto add_squares = kernels().sums->add_squares[rows.dtype];
    for (std::size_t i = first; i < last;) {
        const std::size_t place = n_rows_ % tile_, n = std::min(tile_ - place, last - i);
        const std::size_t at = place * n_features_;
        add_squares(rows.row(i), n * n_features_, rows.weight(i), origin(at), high_.data() + at,
                    low_.data() + at);
        n_rows_ += n;
        i += n;
    }
}

// A value of 0 adds 0, which changes no bit: its feature has no origin, since others of it are not 0.
void SquareSums::add(const SparseRows& rows, std::size_t first, std::size_t last) {
    const auto add_squares = kernels().sums->add_squares[kFloat64];
    for (std::size_t i = first; i < last; ++i, ++n_rows_) {
        const SparseRow row = rows.row(i);
        for (std::size_t v = 0; v < row.size; ++v) {
            const std::size_t at = n_rows_ % tile_ * n_features_ + static_cast<std::size_t>(row.columns[v]);
            add_squares(row.values + v, 1, rows.weight(i), origin(at), high_.data() + at, low_.data() + at);
        }
    }
}

std::pair<double, double> SquareSums::take() {
    DoubleDouble total;
    for (std::size_t f = 0; f < high_.size(); ++f) total = total + DoubleDouble{high_[f], low_[f]};
    clear();
    return {total.high, total.low};
}

SquaresInParts::SquaresInParts(ClusterSums& sums)
    : sums_(sums), block_(sums.sums().origin(), sums.weighted()) {}

template <class AnyRows>
void SquaresInParts::add_to_block(const AnyRows& rows, std::size_t first, std::size_t last) {
    block_.add(rows, first, last);
    if (block_.n_rows() == kSquaresBlock) finish();
}

void SquaresInParts::add(const Rows& rows, const Parallel& parallel) {
    if (sums_.integer()) return sums_.add_squares(rows, parallel);  // exact, in any pattern
    const std::size_t open = block_.n_rows();
    const std::size_t head = open == 0 ? 0 : std::min(rows.n_rows, kSquaresBlock - open);
    const std::size_t whole = (rows.n_rows - head) / kSquaresBlock * kSquaresBlock;
    if (head > 0) add_to_block(rows, 0, head);
    if (whole > 0) {
        const double* weights = rows.weights ? rows.weights + head : nullptr;
        sums_.add_squares({rows.row(head), rows.dtype, whole, rows.n_features, weights}, parallel);
    }
    if (head + whole < rows.n_rows) add_to_block(rows, head + whole, rows.n_rows);
}

void SquaresInParts::add(const SparseRows& rows, const Parallel& parallel) {
    for (std::size_t i = 0; i < rows.n_rows;) {
        const std::size_t last = std::min(rows.n_rows, i + kSquaresBlock - block_.n_rows());
        if (parallel.interrupted()) throw Interrupted();
        add_to_block(rows, i, last);
        i = last;
    }
}

void SquaresInParts::finish() {
    if (block_.n_rows() == 0) return;
    const std::size_t n_rows = block_.n_rows();
    const auto [high, low] = block_.take();
    sums_.add_square_sum(high, low, n_rows);
}

}  // namespace kmosaic
