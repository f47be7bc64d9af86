#include "update/cluster_sums.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "kernels/dispatch.hpp"
#include "kernels/double_double.hpp"
#include "update/label_changes.hpp"
#include "update/square_sums.hpp"

namespace kmosaic {

namespace {

// Up to so many features 64 bits hold the sum of a block's squares, of 32 bits each.
constexpr std::size_t kMaxBlockFeatures = std::size_t{1} << 20;
static_assert(kSquaresBlock * kMaxBlockFeatures <= std::size_t{1} << 32);

// Values of a task's clusters: fewer are not worth another thread.
constexpr std::size_t kValuesWorthTask = 4096;

void accumulate(double* high_low, DoubleDouble value) {
    const DoubleDouble sum = DoubleDouble{high_low[0], high_low[1]} + value;
    high_low[0] = sum.high;
    high_low[1] = sum.low;
}

// value times weight, a whole number of 32 bits, exactly.
DoubleDouble times(std::uint64_t value, double weight) {
    return two_product(static_cast<double>(value >> 32) * 0x1p32, weight) +
           two_product(static_cast<double>(value & UINT32_MAX), weight);
}

// Merged rows have at most so many bytes, for which 64 bits hold a block's sum, however often each row
// counts.
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

// Integers below 2^104 are added in double-double without rounding (L20).
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

}  // namespace

std::vector<double> exact_origin(const std::vector<double>& low, const std::vector<double>& high) {
    std::vector<double> origin(low.size(), 0.0);
    for (std::size_t f = 0; f < low.size(); ++f) {
        if (low[f] > 0 && high[f] <= 2 * low[f]) origin[f] = low[f];
        if (high[f] < 0 && low[f] >= 2 * high[f]) origin[f] = high[f];
    }
    return origin;
}

ClusterSums::ClusterSums(std::size_t n_clusters, std::size_t n_features) : sums_(n_clusters, n_features) {}

ClusterSums::ClusterSums(std::size_t n_clusters, std::vector<double> origin, std::vector<double> spacings,
                         std::vector<double> weight_spacings)
    : sums_(n_clusters, std::move(origin), std::move(spacings), std::move(weight_spacings)) {}

ClusterSums::ClusterSums(const ClusterSumsState& state)
    : ClusterSums(state.integer
                      ? ClusterSums(state.n_clusters, state.origin.size())
                      : ClusterSums(state.n_clusters, state.origin, state.spacings, state.weight_spacings)) {
    const bool whole = state.squares.size() == 2 && (state.integer || !state.spacings.empty()) &&
                       sums_.set(state.sums, state.counts);
    if (!whole) throw std::invalid_argument("the state of a ClusterSums has arrays of wrong sizes");
    std::copy_n(state.squares.begin(), 2, squares_);
    n_rows_ = state.n_rows;
}

ClusterSumsState ClusterSums::state() const {
    const auto spacings = integer() ? std::vector<double>() : sums_.spacings();
    return {n_clusters(),
            sums_.origin(),
            integer(),
            spacings,
            sums_.weight_spacings(),
            sums_.sums(),
            sums_.counts(),
            {squares_[0], squares_[1]},
            n_rows_};
}

bool ClusterSums::equal_sums(const ClusterSums& other) const {
    return sums_.sums() == other.sums_.sums() && sums_.counts() == other.sums_.counts();
}

void ClusterSums::apply(LabelChanges& changes, const std::int32_t* labels, const Parallel& parallel) {
    if (changes.complete()) return sums_.apply(changes, parallel);
    clear();
    add(changes.rows(), labels, parallel);
}

void ClusterSums::add_squares(const Rows& rows, const Parallel& parallel) {
    std::vector<DoubleDouble> blocks(ceil_div(rows.n_rows, kSquaresBlock));
    parallel_blocks(rows.n_rows, kSquaresBlock, parallel, [&] {
        return [&, sums = SquareSums(sums_.origin(), rows.weights != nullptr)](std::size_t first,
                                                                               std::size_t count) mutable {
            DoubleDouble& sum = blocks[first / kSquaresBlock];
            if (integer()) {
                sum = sum_of_integer_squares(rows, first, first + count);
                return;
            }
            sums.add(rows, first, first + count);
            std::tie(sum.high, sum.low) = sums.take();
        };
    });
    for (const DoubleDouble& block : blocks) accumulate(squares_, block);
    n_rows_ += rows.n_rows;
}

void ClusterSums::add_square_sum(double high, double low, std::size_t n_rows) {
    accumulate(squares_, {high, low});
    n_rows_ += n_rows;
}

void ClusterSums::merge(const ClusterSums& other) {
    if (other.n_clusters() != n_clusters() || other.sums_.origin() != sums_.origin() ||
        other.integer() != integer() || other.sums_.spacings() != sums_.spacings() ||
        other.sums_.weight_spacings() != sums_.weight_spacings())
        throw std::invalid_argument("sums of unlike shape, type, origin or spacings cannot be merged");
    sums_.merge(other.sums_);
    accumulate(squares_, {other.squares_[0], other.squares_[1]});
    n_rows_ += other.n_rows_;
}

ClusterSums ClusterSums::emptied(std::size_t n_clusters) const {
    ClusterSums sums =
        integer() ? ClusterSums(n_clusters, n_features())
                  : ClusterSums(n_clusters, sums_.origin(), sums_.spacings(), sums_.weight_spacings());
    std::copy_n(squares_, 2, sums.squares_);
    sums.n_rows_ = n_rows_;
    return sums;
}

// Reads the sums of one cluster after the other in double-double; each call overwrites what the last one
// returned.
class ClusterSums::SumsReader {
  public:
    explicit SumsReader(const ClusterSums& all)
        : all_(all),
          at_zero_(std::all_of(all.sums_.origin().begin(), all.sums_.origin().end(),
                               [](double o) { return o == 0; })),
          high_(all.n_features()),
          low_(all.n_features()) {}

    ClusterSumView operator()(std::size_t cluster) {
        const bool low = all_.sums_.values(cluster, high_.data(), low_.data());
        const auto [count, low_count] = all_.sums_.count(cluster);
        const bool plain = at_zero_ && !low && low_count == 0;
        return {high_.size(), all_.sums_.origin().data(), high_.data(),
                low_.data(),  {count, low_count},         plain};
    }

  private:
    const ClusterSums& all_;
    bool at_zero_;  // whether the origin is
    std::vector<double> high_, low_;
};

// Calls visit(cluster, ClusterSumView) for each cluster with weight.
template <class Visit>
void ClusterSums::for_each_cluster(const Parallel& parallel, Visit visit) const {
    const std::size_t n_together = std::max<std::size_t>(kValuesWorthTask / n_features(), 1);
    parallel_blocks(n_clusters(), n_together, parallel, [&] {
        return [&, sums_of = SumsReader(*this)](std::size_t first, std::size_t n) mutable {
            for (std::size_t j = first; j < first + n; ++j)
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
    std::vector<ClusterCost> costs(n_clusters(), ClusterCost{0, 0, 0});
    for_each_cluster(parallel, [&](std::size_t j, const ClusterSumView& sums) {
        double* centre = centers + j * n_features();
        kernels().sums->mean(sums, centre);
        costs[j] = kernels().sums->cost(sums, centre);
    });
    return inertia_of(costs);
}

Inertia ClusterSums::inertia(const Centers& centers, const Parallel& parallel) const {
    std::vector<ClusterCost> costs(n_clusters(), ClusterCost{0, 0, 0});
    for_each_cluster(parallel, [&](std::size_t j, const ClusterSumView& sums) {
        costs[j] = kernels().sums->cost(sums, centers.row(j));
    });
    return inertia_of(costs);
}

// A bound of what products below the normal numbers have lost: a few times 2^-1074 each, times the weight
// (L18).
double ClusterSums::underflow_error() const {
    double terms = static_cast<double>(n_rows_ + n_clusters());
    for (std::size_t j = 0; j < n_clusters(); ++j) terms += count(j);
    return 8 * static_cast<double>(n_features()) * terms * 0x1p-1074;
}

Inertia ClusterSums::inertia_of(const std::vector<ClusterCost>& costs) const {
    DoubleDouble total{squares_[0], squares_[1]};
    double magnitude = squares_[0];
    for (const ClusterCost& cost : costs) {
        total = total + DoubleDouble{cost.high, cost.low};
        magnitude += cost.magnitude;
    }
    // L18
    const std::size_t more_slices = std::max<std::size_t>(sums_.spacings().size(), 3) - 3;
    const std::size_t additions = n_features() + n_clusters() + 8 + more_slices + (integer() ? 0 : n_rows_);
    const std::size_t steps = std::min(ceil_div(n_features(), kCostLanes), kCostSteps);
    double error = static_cast<double>(8 * additions + 4 * steps * steps) * 0x1p-106 * magnitude;
    if (!integer()) error += underflow_error();
    return {total.high <= error ? 0.0 : total.high, error};
}

}  // namespace kmosaic
