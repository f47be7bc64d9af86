#include "update/cluster_sums.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "kernels/dispatch.hpp"
#include "kernels/double_double.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

namespace {

// Rows a task sums the squares of: a constant, since real sums are added task by task.
constexpr std::size_t kSquaresBlock = 4096;
// Rows between two looks at whether to stop: a task of the sums goes over all rows.
constexpr std::size_t kCheckedRows = 4096;

// Up to here 64 bits hold a block's sum of squares, of 32 bits each.
constexpr std::size_t kMaxBlockFeatures = std::size_t{1} << 20;
static_assert(kSquaresBlock * kMaxBlockFeatures <= std::size_t{1} << 32);

// Clusters whose sums take less than a thread costs are one task.
constexpr std::size_t kValuesWorthTask = 4096;

// Features of rows whose squares are added side by side: fewer leave vectors empty and wait for each other.
constexpr std::size_t kSquaresWidth = 32;

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

// value times weight, which is a whole number of 32 bits: exactly.
DoubleDouble times(std::uint64_t value, double weight) {
    return two_product(static_cast<double>(value >> 32) * 0x1p32, weight) +
           two_product(static_cast<double>(value & UINT32_MAX), weight);
}

// Merged rows have no more bytes; and 64 bits hold a block's sum, however often each counts.
constexpr std::size_t kMaxCountedBytes = 4;
static_assert(kMaxCountedBytes * 255 * 255 * kSquaresBlock <= std::size_t{1} << 32);

std::uint64_t sum_of_counted_squares(const std::uint8_t* rows, std::size_t n_features,
                                     const std::uint32_t* counts, std::size_t n_rows) {
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < n_rows; ++i, rows += n_features) {
        std::uint32_t square = 0;
        for (std::size_t f = 0; f < n_features; ++f) square += std::uint32_t{rows[f]} * rows[f];
        total += std::uint64_t{square} * counts[i];
    }
    return total;
}

// The sums are integers below 2^104, which double-double adds without rounding: an addition is within 3 2^-106 of its
// result, and what it returns is a sum of integers.
DoubleDouble sum_of_integer_squares(const Rows& rows, std::size_t first, std::size_t last) {
    if (rows.counts && rows.dtype == kUint8 && rows.n_features <= kMaxCountedBytes)
        return times(sum_of_counted_squares(static_cast<const std::uint8_t*>(rows.row(first)),
                                            rows.n_features, rows.counts + first, last - first),
                     1);
    const auto squares = kernels().sums->sum_of_squares[rows.dtype];
    const bool whole_block = !rows.counts && rows.n_features <= kMaxBlockFeatures;
    const std::size_t n_together = whole_block ? last - first : 1;
    DoubleDouble total;
    for (std::size_t i = first; i < last; i += n_together)
        total = total + times(squares(rows.row(i), n_together * rows.n_features), rows.weight(i));
    return total;
}

// One thread's sums of squares, feature by feature. Narrow rows are added several at a time, as one wide row.
class SquareSums {
  public:
    SquareSums(const Rows& rows, const std::vector<double>& origin)
        : rows_(rows), tile_(rows.weights ? 1 : (kSquaresWidth + origin.size() - 1) / origin.size()) {
        for (std::size_t t = 0; t < tile_; ++t) origin_.insert(origin_.end(), origin.begin(), origin.end());
    }

    DoubleDouble operator()(std::size_t first, std::size_t last) {
        high_.assign(origin_.size(), 0.0);
        low_.assign(origin_.size(), 0.0);
        for (std::size_t i = first; i < last; i += tile_)
            kernels().sums->add_squares[rows_.dtype](
                rows_.row(i), std::min(tile_, last - i) * rows_.n_features, rows_.weight(i), origin_.data(),
                high_.data(), low_.data());
        DoubleDouble total;
        for (std::size_t f = 0; f < high_.size(); ++f) total = total + DoubleDouble{high_[f], low_[f]};
        return total;
    }

  private:
    const Rows& rows_;
    std::size_t tile_;  // rows added at a time
    std::vector<double> origin_, high_, low_;
};

}  // namespace

std::vector<double> exact_origin(const std::vector<double>& low, const std::vector<double>& high) {
    std::vector<double> origin(low.size(), 0.0);
    for (std::size_t f = 0; f < low.size(); ++f) {
        if (low[f] > 0 && high[f] <= 2 * low[f]) origin[f] = low[f];
        if (high[f] < 0 && low[f] >= 2 * high[f]) origin[f] = high[f];
    }
    return origin;
}

ClusterSums::ClusterSums(std::size_t n_clusters, std::vector<double> origin, bool integer,
                         std::vector<double> spacings)
    : n_clusters_(n_clusters), origin_(std::move(origin)), integer_(integer) {
    if (integer_) {
        exact_.emplace(n_clusters, origin_.size());
    } else if (!spacings.empty()) {
        exact_.emplace(n_clusters, origin_, std::move(spacings));
    } else {
        counts_.assign(2 * n_clusters, 0.0);
        high_.assign(n_clusters * origin_.size(), 0.0);
        low_.assign(n_clusters * origin_.size(), 0.0);
    }
}

ClusterSums::ClusterSums(const ClusterSumsState& state)
    : ClusterSums(state.n_clusters, state.origin, state.integer, state.spacings) {
    const bool whole =
        state.squares.size() == 2 && state.high.size() == high_.size() && state.low.size() == low_.size() &&
        state.counts.size() == counts_.size() &&
        (exact_ ? exact_->set(state.exact_sums, state.exact_counts) : state.exact_sums.empty());
    if (!whole) throw std::invalid_argument("the state of a Partial has arrays of wrong sizes");
    high_ = state.high;
    low_ = state.low;
    counts_ = state.counts;
    std::copy_n(state.squares.begin(), 2, squares_);
    n_rows_ = state.n_rows;
}

ClusterSumsState ClusterSums::state() const {
    ClusterSumsState state{n_clusters_, origin_, integer_, {},      {},
                           {},          high_,   low_,     counts_, {squares_[0], squares_[1]},
                           n_rows_};
    if (exact_) {
        if (!integer_) state.spacings = exact_->spacings();
        state.exact_sums = exact_->sums();
        state.exact_counts = exact_->counts();
    }
    return state;
}

bool ClusterSums::equal_sums(const ClusterSums& other) const {
    if (exact() != other.exact()) return false;
    if (exact_) return exact_->sums() == other.exact_->sums() && exact_->counts() == other.exact_->counts();
    return high_ == other.high_ && low_ == other.low_ && counts_ == other.counts_;
}

void ClusterSums::add_row(const Rows& rows, std::size_t i, std::size_t cluster, double weight) {
    if (weight == 0) return;
    const std::size_t n = n_features();
    accumulate(&counts_[2 * cluster], {weight, 0});
    kernels().sums->add_reals[rows.dtype](rows.row(i), n, weight, origin_.data(), &high_[cluster * n],
                                          &low_[cluster * n]);
}

void ClusterSums::add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel) {
    if (exact_) return exact_->add(rows, labels, parallel);
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

void ClusterSums::apply(LabelChanges& changes, const std::int32_t* labels, const Parallel& parallel) {
    if (exact_ && changes.complete()) return exact_->apply(changes, parallel);
    clear();
    add(changes.rows(), labels, parallel);
}

void ClusterSums::add_squares(const Rows& rows, const Parallel& parallel) {
    const std::size_t n_blocks = (rows.n_rows + kSquaresBlock - 1) / kSquaresBlock;
    std::vector<DoubleDouble> blocks(n_blocks);
    parallel_for(n_blocks, parallel, [&] {
        return [&, sums = SquareSums(rows, origin_)](std::size_t block) mutable {
            const std::size_t first = block * kSquaresBlock;
            const std::size_t last = std::min(first + kSquaresBlock, rows.n_rows);
            blocks[block] = integer_ ? sum_of_integer_squares(rows, first, last) : sums(first, last);
        };
    });
    for (const DoubleDouble& block : blocks) accumulate(squares_, block);
    n_rows_ += rows.n_rows;
}

void ClusterSums::merge(const ClusterSums& other) {
    if (other.n_clusters_ != n_clusters_ || other.origin_ != origin_ || other.integer_ != integer_ ||
        other.exact() != exact() || (exact_ && other.exact_->spacings() != exact_->spacings()))
        throw std::invalid_argument("Partials of unlike shape, type, origin or grids do not add up");
    if (exact_) exact_->merge(*other.exact_);
    for (std::size_t i = 0; i < high_.size(); ++i) {
        const DoubleDouble sum =
            DoubleDouble{high_[i], low_[i]} + DoubleDouble{other.high_[i], other.low_[i]};
        high_[i] = sum.high;
        low_[i] = sum.low;
    }
    for (std::size_t j = 0; 2 * j < counts_.size(); ++j)
        accumulate(&counts_[2 * j], {other.counts_[2 * j], other.counts_[2 * j + 1]});
    accumulate(squares_, {other.squares_[0], other.squares_[1]});
    n_rows_ += other.n_rows_;
}

ClusterSums ClusterSums::emptied(std::size_t n_clusters) const {
    ClusterSums partial(n_clusters, origin_, integer_, exact_ ? exact_->spacings() : std::vector<double>());
    std::copy_n(squares_, 2, partial.squares_);
    partial.n_rows_ = n_rows_;
    return partial;
}

void ClusterSums::move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to) {
    if (exact_) return exact_->move(rows, i, from, to);
    add_row(rows, i, to, rows.weight(i));
    add_row(rows, i, from, -rows.weight(i));
}

void ClusterSums::clear() {
    if (exact_) exact_->clear();
    std::fill(high_.begin(), high_.end(), 0.0);
    std::fill(low_.begin(), low_.end(), 0.0);
    std::fill(counts_.begin(), counts_.end(), 0.0);
}

// Hands out clusters' sums in double-double; what it gave before is overwritten.
class ClusterSums::SumsReader {
  public:
    explicit SumsReader(const ClusterSums& partial)
        : all_(partial),
          at_zero_(
              std::all_of(partial.origin_.begin(), partial.origin_.end(), [](double o) { return o == 0; })) {
        if (!partial.exact_) return;
        high_.resize(partial.n_features());
        low_.resize(partial.n_features());
    }

    ClusterSumView operator()(std::size_t cluster) {
        const std::size_t n = all_.n_features();
        const double* origin = all_.origin_.data();
        if (!all_.exact_) {
            const double* count = &all_.counts_[2 * cluster];
            return {n,    origin, &all_.high_[cluster * n], &all_.low_[cluster * n], {count[0], count[1]},
                    false};
        }
        const bool low = all_.exact_->values(cluster, high_.data(), low_.data());
        return {n, origin, high_.data(), low_.data(), {all_.count(cluster), 0}, at_zero_ && !low};
    }

  private:
    const ClusterSums& all_;
    bool at_zero_;  // the origin is
    std::vector<double> high_, low_;
};

// Calls visit(cluster, ClusterSumView) for each cluster with weight.
template <class Visit>
void ClusterSums::for_each_cluster(const Parallel& parallel, Visit visit) const {
    const std::size_t n_together = std::max<std::size_t>(kValuesWorthTask / n_features(), 1);
    parallel_for((n_clusters_ + n_together - 1) / n_together, parallel, [&] {
        return [&, sums_of = SumsReader(*this)](std::size_t task) mutable {
            const std::size_t last = std::min((task + 1) * n_together, n_clusters_);
            for (std::size_t j = task * n_together; j < last; ++j)
                if (count(j) > 0) visit(j, sums_of(j));
        };
    });
}

void ClusterSums::means(double* centers, const Parallel& parallel) const {
    for_each_cluster(parallel, [&](std::size_t j, const ClusterSumView& sums) {
        kernels().sums->mean(sums, centers + j * n_features());
    });
}

Inertia ClusterSums::update(double* centers, const Parallel& parallel) const {
    std::vector<ClusterCost> costs(n_clusters_, ClusterCost{0, 0, 0});
    for_each_cluster(parallel, [&](std::size_t j, const ClusterSumView& sums) {
        double* centre = centers + j * n_features();
        kernels().sums->mean(sums, centre);
        costs[j] = kernels().sums->cost(sums, centre);
    });
    return inertia_of(costs);
}

Inertia ClusterSums::inertia_within(const Centers& centers, const Parallel& parallel) const {
    std::vector<ClusterCost> costs(n_clusters_, ClusterCost{0, 0, 0});
    for_each_cluster(parallel, [&](std::size_t j, const ClusterSumView& sums) {
        costs[j] = kernels().sums->cost(sums, centers.row(j));
    });
    return inertia_of(costs);
}

Inertia ClusterSums::inertia_of(const std::vector<ClusterCost>& costs) const {
    DoubleDouble total{squares_[0], squares_[1]};
    double magnitude = squares_[0];
    for (const ClusterCost& cost : costs) {
        total = total + DoubleDouble{cost.high, cost.low};
        magnitude += cost.magnitude;
    }
    // Each sum is of so many terms at most, each addition within 3 u^2, and u = 2^-53; within clusters, see kernels.hpp.
    const std::size_t additions = n_features() + n_clusters_ + 8 + (integer_ ? 0 : n_rows_);
    const std::size_t steps = std::min((n_features() + kCostLanes - 1) / kCostLanes, kCostSteps);
    const double error = static_cast<double>(8 * additions + 4 * steps * steps) * 0x1p-106 * magnitude;
    return {total.high <= error ? 0.0 : total.high, error};
}

}  // namespace kmosaic
