#include "kmeans/partial.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "kernels/dispatch.hpp"
#include "kernels/double_double.hpp"

namespace kmosaic {

namespace {

// Rows a task sums the squares of: a constant, since real sums are added task by task.
constexpr std::size_t kSquaresBlock = 4096;
// Rows between two looks at whether to stop: a task of the sums goes over all rows.
constexpr std::size_t kCheckedRows = 4096;

DoubleDouble whole(std::int64_t value) {
    const auto high = static_cast<double>(value);
    // 2^63 rounded up would overflow the way back; sums stay far below.
    return {high, static_cast<double>(value - static_cast<std::int64_t>(high))};
}

void accumulate(double* high_low, DoubleDouble value) {
    const DoubleDouble sum = DoubleDouble{high_low[0], high_low[1]} + value;
    high_low[0] = sum.high;
    high_low[1] = sum.low;
}

// Threads own contiguous ranges of clusters that hold about the same number of rows.
std::vector<std::size_t> cluster_ranges(const std::int32_t* labels, std::size_t n_rows,
                                        std::size_t n_clusters, std::size_t n_ranges) {
    std::vector<std::size_t> sizes(n_clusters, 0);
    for (std::size_t i = 0; i < n_rows; ++i) ++sizes[static_cast<std::size_t>(labels[i])];
    std::vector<std::size_t> bounds{0};
    std::size_t seen = 0;
    for (std::size_t j = 0; j < n_clusters; ++j) {
        seen += sizes[j];
        if (seen * n_ranges >= n_rows * bounds.size() && bounds.size() < n_ranges) bounds.push_back(j + 1);
    }
    bounds.push_back(n_clusters);
    return bounds;
}

template <class T>
DoubleDouble sum_of_squares(const Rows& rows, const std::vector<double>& origin, std::size_t first,
                            std::size_t last) {
    DoubleDouble total;
    for (std::size_t i = first; i < last; ++i) {
        const T* x = static_cast<const T*>(rows.row(i));
        // Interleaved sums: a double-double addition waits some twenty cycles for the one before.
        DoubleDouble squares[8];
        for (std::size_t f = 0; f < rows.n_features; ++f) {
            const double value = static_cast<double>(x[f]) - origin[f];
            squares[f % 8] = squares[f % 8] + two_product(value, value);
        }
        for (const DoubleDouble& square : squares) total = total + square * rows.weight(i);
    }
    return total;
}

template <class T>
DoubleDouble sum_of_integer_squares(const Rows& rows, std::size_t first, std::size_t last) {
    DoubleDouble total;
    for (std::size_t i = first; i < last; ++i) {
        const T* x = static_cast<const T*>(rows.row(i));
        std::int64_t square = 0;
        for (std::size_t f = 0; f < rows.n_features; ++f) {
            const std::int64_t value = x[f];
            square += value * value;
        }
        total = total + whole(square);
    }
    return total;
}

}  // namespace

std::vector<double> exact_origin(const std::vector<double>& low, const std::vector<double>& high) {
    std::vector<double> origin(low.size(), 0.0);
    for (std::size_t f = 0; f < low.size(); ++f) {
        if (low[f] > 0 && high[f] <= 2 * low[f]) origin[f] = low[f];
        if (high[f] < 0 && low[f] >= 2 * high[f]) origin[f] = high[f];
    }
    return origin;
}

Partial::Partial(std::size_t n_clusters, std::vector<double> origin, bool integer)
    : n_clusters_(n_clusters), origin_(std::move(origin)), integer_(integer), counts_(2 * n_clusters, 0.0) {
    const std::size_t size = n_clusters * origin_.size();
    if (integer_) {
        integer_sums_.assign(size, 0);
    } else {
        high_.assign(size, 0.0);
        low_.assign(size, 0.0);
    }
}

void Partial::add_row(const Rows& rows, std::size_t i, std::size_t cluster, double weight) {
    if (weight == 0) return;
    const ExactKernels& kernel = *kernels().exact;
    const std::size_t n = n_features();
    accumulate(&counts_[2 * cluster], {weight, 0});
    if (!integer_) {
        kernel.add_reals[rows.dtype](rows.row(i), n, weight, origin_.data(), &high_[cluster * n],
                                     &low_[cluster * n]);
    } else {
        kernel.add_integers[rows.dtype](rows.row(i), n, &integer_sums_[cluster * n]);
    }
}

void Partial::add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel) {
    const std::vector<std::size_t> bounds =
        cluster_ranges(labels, rows.n_rows, n_clusters_, std::max<std::size_t>(parallel.n_threads, 1));
    parallel_for(bounds.size() - 1, parallel, [&] {
        return [&](std::size_t range, const Checkpoint& checkpoint) {
            const std::size_t low = bounds[range], n_own = bounds[range + 1] - low;
            for (std::size_t first = 0; first < rows.n_rows; first += kCheckedRows) {
                checkpoint();
                const std::size_t last = std::min(first + kCheckedRows, rows.n_rows);
                for (std::size_t i = first; i < last; ++i) {
                    const auto cluster = static_cast<std::size_t>(labels[i]);
                    if (cluster - low < n_own) add_row(rows, i, cluster, rows.weight(i));
                }
            }
        };
    });
}

void Partial::add_squares(const Rows& rows, const Parallel& parallel) {
    const std::size_t n_blocks = (rows.n_rows + kSquaresBlock - 1) / kSquaresBlock;
    std::vector<DoubleDouble> blocks(n_blocks);
    parallel_for(n_blocks, parallel, [&] {
        return [&](std::size_t block) {
            const std::size_t first = block * kSquaresBlock;
            const std::size_t last = std::min(first + kSquaresBlock, rows.n_rows);
            if (integer_ && rows.dtype == kUint8)
                blocks[block] = sum_of_integer_squares<std::uint8_t>(rows, first, last);
            else if (integer_)
                blocks[block] = sum_of_integer_squares<std::uint16_t>(rows, first, last);
            else if (rows.dtype == kUint8)
                blocks[block] = sum_of_squares<std::uint8_t>(rows, origin_, first, last);
            else if (rows.dtype == kUint16)
                blocks[block] = sum_of_squares<std::uint16_t>(rows, origin_, first, last);
            else if (rows.dtype == kFloat32)
                blocks[block] = sum_of_squares<float>(rows, origin_, first, last);
            else
                blocks[block] = sum_of_squares<double>(rows, origin_, first, last);
        };
    });
    for (const DoubleDouble& block : blocks) accumulate(squares_, block);
    n_rows_ += rows.n_rows;
}

void Partial::merge(const Partial& other) {
    if (other.n_clusters_ != n_clusters_ || other.origin_ != origin_ || other.integer_ != integer_)
        throw std::invalid_argument("Partials of unlike shape, type or origin do not add up");
    for (std::size_t i = 0; i < integer_sums_.size(); ++i) integer_sums_[i] += other.integer_sums_[i];
    for (std::size_t i = 0; i < high_.size(); ++i) {
        const DoubleDouble sum =
            DoubleDouble{high_[i], low_[i]} + DoubleDouble{other.high_[i], other.low_[i]};
        high_[i] = sum.high;
        low_[i] = sum.low;
    }
    for (std::size_t j = 0; j < n_clusters_; ++j)
        accumulate(&counts_[2 * j], {other.counts_[2 * j], other.counts_[2 * j + 1]});
    accumulate(squares_, {other.squares_[0], other.squares_[1]});
    n_rows_ += other.n_rows_;
}

void Partial::move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to) {
    const double weight = rows.weight(i);
    add_row(rows, i, to, weight);
    if (!integer_) {
        add_row(rows, i, from, -weight);
        return;
    }
    std::vector<std::int64_t> row(n_features(), 0);
    kernels().exact->add_integers[rows.dtype](rows.row(i), row.size(), row.data());
    for (std::size_t f = 0; f < row.size(); ++f) integer_sums_[from * row.size() + f] -= row[f];
    accumulate(&counts_[2 * from], {-weight, 0});
}

void Partial::clear() {
    std::fill(integer_sums_.begin(), integer_sums_.end(), 0);
    std::fill(high_.begin(), high_.end(), 0.0);
    std::fill(low_.begin(), low_.end(), 0.0);
    std::fill(counts_.begin(), counts_.end(), 0.0);
}

void Partial::real_sum(std::size_t cluster, double* high, double* low) const {
    for (std::size_t f = 0; f < n_features(); ++f) {
        const std::size_t i = cluster * n_features() + f;
        const DoubleDouble sum = integer_ ? whole(integer_sums_[i]) : DoubleDouble{high_[i], low_[i]};
        high[f] = sum.high;
        low[f] = sum.low;
    }
}

void Partial::means(double* centers) const {
    std::vector<double> high(n_features());
    std::vector<double> low(n_features());
    for (std::size_t j = 0; j < n_clusters_; ++j) {
        if (!(count(j) > 0)) continue;
        real_sum(j, high.data(), low.data());
        for (std::size_t f = 0; f < n_features(); ++f) {
            const DoubleDouble mean =
                DoubleDouble{high[f], low[f]} / DoubleDouble{counts_[2 * j], counts_[2 * j + 1]} + origin_[f];
            centers[j * n_features() + f] = mean.high;
        }
    }
}

Inertia Partial::inertia_within(const Centers& centers) const {
    std::vector<double> high(n_features());
    std::vector<double> low(n_features());
    DoubleDouble total{squares_[0], squares_[1]};
    double magnitude = squares_[0];
    for (std::size_t j = 0; j < n_clusters_; ++j) {
        if (!(count(j) > 0)) continue;
        real_sum(j, high.data(), low.data());
        double cost[2];
        double size = 0;
        kernels().exact->cluster_cost(centers.row(j), origin_.data(), high.data(), low.data(),
                                      &counts_[2 * j], n_features(), cost, &size);
        total = total + DoubleDouble{cost[0], cost[1]};
        magnitude += size;
    }
    // Each sum is of so many terms at most, each addition within 3 u^2, and u = 2^-53.
    const std::size_t additions = n_features() + n_clusters_ + 8 + (integer_ ? 0 : n_rows_);
    const double error = 8.0 * static_cast<double>(additions) * 0x1p-106 * magnitude;
    return {total.high <= error ? 0.0 : total.high, error};
}

}  // namespace kmosaic
