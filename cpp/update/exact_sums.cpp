#include "update/exact_sums.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "kernels/dispatch.hpp"
#include "update/label_changes.hpp"
#include "update/row_groups.hpp"

namespace kmosaic {

namespace {

// 64 KB of sums: a table that stays in a core's L2 cache beside the rows.
constexpr std::size_t kSmallTable = 8192;

// Rows that a task adds to a small table.
constexpr std::size_t kBlock = 4096;

// Rows are sorted by cluster one slab at a time. A slab holds enough rows of each cluster to be worth writing
// the cluster's sum back, and at least 8 MB: rows read in any order from more memory miss the translation
// buffers (MNIST, k = 256: a sixth of the time). Sorting takes 2 MB, all threads together.
constexpr std::size_t kRowsOfCluster = 16;
constexpr std::size_t kSlabBytes = std::size_t{1} << 23;
constexpr std::size_t kSortedRows = std::size_t{1} << 18;

std::size_t slab_rows(const Rows& rows, std::size_t n_clusters, std::size_t n_threads) {
    const std::size_t wanted = std::max(kRowsOfCluster * n_clusters, kSlabBytes / rows.row_bytes());
    const std::size_t most = std::min(kSortedRows, rows.n_rows / 2 + 1) / std::max<std::size_t>(n_threads, 1);
    return std::max<std::size_t>(std::min(wanted, most), 256);
}

// Below this many bytes of rows, starting threads takes longer than summing.
constexpr std::size_t kBytesWorthThreads = std::size_t{1} << 19;

Parallel threads_for(const Rows& rows, std::size_t n_rows, const Parallel& parallel) {
    const std::size_t n_bytes = n_rows * rows.row_bytes();
    return {n_bytes < kBytesWorthThreads ? 1 : parallel.n_threads, parallel.interrupted};
}

}  // namespace

ExactSums::ExactSums(std::size_t n_clusters, std::size_t n_features)
    : n_features_(n_features),
      integer_(true),
      origin_(n_features, 0.0),
      spacings_(1, 1.0),
      sums_(n_clusters * n_features, 0),
      counts_(n_clusters, 0) {}

ExactSums::ExactSums(std::size_t n_clusters, std::vector<double> origin, std::vector<double> spacings,
                     std::vector<double> weight_spacings)
    : n_features_(origin.size()),
      integer_(false),
      origin_(std::move(origin)),
      spacings_(std::move(spacings)),
      weight_spacings_(std::move(weight_spacings)),
      sums_(n_clusters * row_size(), 0),
      counts_(n_clusters * count_size(), 0) {}

bool ExactSums::small() const {
    return size() <= kSmallTable;
}

SumTable ExactSums::table(std::vector<std::int64_t>& sums, std::vector<std::int64_t>& counts) const {
    return {n_clusters(), n_features_, sums.data(), counts.data()};
}

void ExactSums::add_weighted(const Rows& rows, std::size_t i, double weight, std::int64_t* sum,
                             std::int64_t* count) const {
    constexpr double kZero = 0, kOne = 1;
    const SumKernels& kernel = *kernels().sums;
    const Slices of_weights{&kZero, weight_spacings_.data(), weight_spacings_.size()};
    kernel.add_weighted[rows.dtype](rows.row(i), n_features_, weight, slices(), sum);
    kernel.add_weighted[kFloat64](&kOne, 1, weight, of_weights, count);
}

void ExactSums::move(const Rows& rows, std::span<const MovedRow> moved, const SumTable& table) const {
    const SumKernels& kernel = *kernels().sums;
    if (weighted())
        for (const MovedRow& row : moved) {
            const double weight = rows.weights[row.row];
            add_weighted(rows, row.row, weight, table.sums + row.to * row_size(),
                         table.counts + row.to * count_size());
            if (row.from != table.n_clusters)
                add_weighted(rows, row.row, -weight, table.sums + row.from * row_size(),
                             table.counts + row.from * count_size());
        }
    else if (integer_)
        kernel.move_integers[rows.dtype](rows.data, rows.n_rows, rows.counts, moved.data(), moved.size(),
                                         table);
    else
        kernel.move_reals[rows.dtype - kFirstReal](rows.data, slices(), moved.data(), moved.size(), table);
}

// Sums one group of rows after the other, for one thread, and adds each to the cluster's sum.
class ExactSums::GroupAdder {
  public:
    GroupAdder(ExactSums& sums, const Rows& rows, std::array<std::mutex, 64>& locks)
        : sums_(sums), rows_(rows), locks_(locks) {}

    void operator()(const RowGroup& group) {
        const SumKernels& kernel = *kernels().sums;
        const bool in_32_bits = sums_.integer_ && !rows_.counts;
        const std::size_t count_size = sums_.count_size();
        count_.assign(count_size, 0);
        in_32_bits ? sum_in_32_bits(group) : sum_in_64_bits(group);
        if (!sums_.weighted())
            for (const std::size_t row : group.rows) count_[0] += rows_.count(row);
        const std::lock_guard lock(locks_[group.cluster % locks_.size()]);
        std::int64_t* totals = sums_.sums_.data() + group.cluster * sums_.row_size();
        if (in_32_bits)
            kernel.add_sums(sums32_.data(), sums32_.size(), group.leaves, totals);
        else
            kernel.add_totals(sums64_.data(), sums64_.size(), group.leaves, totals);
        kernel.add_totals(count_.data(), count_size, group.leaves,
                          sums_.counts_.data() + group.cluster * count_size);
    }

  private:
    void find_rows(const RowGroup& group) {
        found_.clear();
        for (const std::size_t row : group.rows) found_.push_back(rows_.row(row));
    }

    void sum_in_32_bits(const RowGroup& group) {
        static_assert(kMaxRowsInGroup * 65535 < std::size_t{1} << 31);
        find_rows(group);
        sums32_.assign(sums_.row_size(), 0);
        kernels().sums->add_integer_rows[rows_.dtype](found_.data(), found_.size(), sums32_.size(),
                                                      sums32_.data());
    }

    void sum_in_64_bits(const RowGroup& group) {
        const SumKernels& kernel = *kernels().sums;
        find_rows(group);
        sums64_.assign(sums_.row_size(), 0);
        if (sums_.weighted()) {
            for (const std::size_t row : group.rows)
                sums_.add_weighted(rows_, row, rows_.weights[row], sums64_.data(), count_.data());
            return;
        }
        if (!sums_.integer_)
            return kernel.add_real_rows[rows_.dtype - kFirstReal](
                found_.data(), found_.size(), sums_.n_features_, sums_.slices(), sums64_.data());
        for (const std::size_t row : group.rows)
            kernel.add_integers[rows_.dtype](rows_.row(row), sums64_.size(), rows_.count(row),
                                             sums64_.data());
    }

    ExactSums& sums_;
    const Rows& rows_;
    std::array<std::mutex, 64>& locks_;
    std::vector<const void*> found_;
    std::vector<std::int32_t> sums32_;
    std::vector<std::int64_t> sums64_;
    std::vector<std::int64_t> count_;
};

void ExactSums::add_groups(const Rows& rows, const RowGroups& groups, const Parallel& parallel) {
    std::array<std::mutex, 64> locks;
    parallel_for(groups.groups.size(), threads_for(rows, groups.rows.size(), parallel), [&] {
        return
            [&, adder = GroupAdder(*this, rows, locks)](std::size_t g) mutable { adder(groups.groups[g]); };
    });
}

void ExactSums::add_slabs(const Rows& rows, const std::int32_t* labels, const Parallel& parallel) {
    std::array<std::mutex, 64> locks;
    const Parallel worth = threads_for(rows, rows.n_rows, parallel);
    const std::size_t n_together = slab_rows(rows, n_clusters(), worth.n_threads);
    parallel_blocks(rows.n_rows, n_together, worth, [&] {
        return [&, adder = GroupAdder(*this, rows, locks)](std::size_t first, std::size_t count) mutable {
            const RowGroups sorted = groups_of_labels(labels, first, first + count, n_clusters());
            for (const RowGroup& group : sorted.groups) adder(group);
        };
    });
}

void ExactSums::add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel) {
    if (!small()) return add_slabs(rows, labels, parallel);
    LabelChanges changes(rows, *this);
    parallel_blocks(rows.n_rows, kBlock, threads_for(rows, rows.n_rows, parallel), [&] {
        return [&, &log = changes.open_log()](std::size_t first, std::size_t count) {
            for (std::size_t i = first; i < first + count; ++i) log.add(i, -1, labels[i]);
        };
    });
    apply(changes, parallel);
}

void ExactSums::apply(LabelChanges& changes, const Parallel& parallel) {
    if (!small())
        return add_groups(changes.rows(), groups_of_changes(changes.lists(), n_clusters()), parallel);
    for (const SumTable& table : changes.tables()) add(table.sums, table.counts);
}

void ExactSums::add(const std::int64_t* sums, const std::int64_t* counts) {
    for (std::size_t i = 0; i < sums_.size(); ++i) sums_[i] += sums[i];
    for (std::size_t j = 0; j < counts_.size(); ++j) counts_[j] += counts[j];
}

bool ExactSums::set(const std::vector<std::int64_t>& sums, const std::vector<std::int64_t>& counts) {
    if (sums.size() != sums_.size() || counts.size() != counts_.size()) return false;
    sums_ = sums;
    counts_ = counts;
    return true;
}

void ExactSums::move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to) {
    Rows single = rows;
    single.counts = nullptr;
    const MovedRow moved{i, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(to)};
    move(single, {&moved, 1}, table(sums_, counts_));
}

// Adds sparse rows to sums, and takes them away again: the values that are not 0 as one short row. (A feature
// with an origin is 0 in no row.)
class ExactSums::SparseAdder {
  public:
    SparseAdder(ExactSums& sums, const SparseRows& rows) : sums_(sums), rows_(rows) {}

    void operator()(std::size_t i, std::size_t cluster, double sign) {
        const SparseRow row = rows_.row(i);
        const std::size_t n = row.size;
        parts_.assign(n * sums_.spacings_.size(), 0);
        if (sums_.integer_)
            for (std::size_t v = 0; v < n; ++v) parts_[v] = static_cast<std::int64_t>(sign * row.values[v]);
        else
            cut(row, sign * rows_.weight(i));
        std::int64_t* totals = sums_.sums_.data() + cluster * sums_.row_size();
        for (std::size_t l = 0; l < sums_.spacings_.size(); ++l)
            for (std::size_t v = 0; v < n; ++v)
                totals[l * sums_.n_features_ + static_cast<std::size_t>(row.columns[v])] += parts_[l * n + v];
        count(i, cluster, sign);
    }

  private:
    void cut(const SparseRow& row, double weight) {
        origin_.clear();
        for (std::size_t v = 0; v < row.size; ++v)
            origin_.push_back(sums_.origin_[static_cast<std::size_t>(row.columns[v])]);
        const Slices slices{origin_.data(), sums_.spacings_.data(), sums_.spacings_.size()};
        const SumKernels& kernel = *kernels().sums;
        const void* values = row.values;
        if (sums_.weighted()) {
            kernel.add_weighted[kFloat64](values, row.size, weight, slices, parts_.data());
            return;
        }
        kernel.add_real_rows[kFloat64 - kFirstReal](&values, 1, row.size, slices, parts_.data());
        if (weight < 0)
            for (std::int64_t& part : parts_) part = -part;
    }

    void count(std::size_t i, std::size_t cluster, double sign) {
        constexpr double kZero = 0, kOne = 1;
        std::int64_t* counts = sums_.counts_.data() + cluster * sums_.count_size();
        if (!sums_.weighted()) {
            counts[0] += sign > 0 ? 1 : -1;
            return;
        }
        const Slices of_weights{&kZero, sums_.weight_spacings_.data(), sums_.weight_spacings_.size()};
        kernels().sums->add_weighted[kFloat64](&kOne, 1, sign * rows_.weight(i), of_weights, counts);
    }

    ExactSums& sums_;
    const SparseRows& rows_;
    std::vector<double> origin_;
    std::vector<std::int64_t> parts_;  // [slice][value]
};

void ExactSums::move(const SparseRows& rows, const std::int32_t* before, const std::int32_t* after,
                     const Parallel& parallel) {
    SparseAdder add(*this, rows);
    for (std::size_t i = 0; i < rows.n_rows; ++i) {
        if (i % kBlock == 0 && parallel.interrupted()) throw Interrupted();
        if (before[i] == after[i]) continue;
        if (before[i] >= 0) add(i, static_cast<std::size_t>(before[i]), -1);
        if (after[i] >= 0) add(i, static_cast<std::size_t>(after[i]), 1);
    }
}

void ExactSums::clear() {
    std::fill(sums_.begin(), sums_.end(), 0);
    std::fill(counts_.begin(), counts_.end(), 0);
}

std::pair<double, double> ExactSums::count(std::size_t cluster) const {
    const double one = 1;
    const double* spacings = weighted() ? weight_spacings_.data() : &one;
    double high = 0, low = 0;
    kernels().sums->values(counts_.data() + cluster * count_size(), 1, spacings, count_size(), &high, &low);
    return {high, low};
}

bool ExactSums::outweighs(std::size_t cluster, double weight) const {
    if (!weighted()) return counts_[cluster] > static_cast<std::int64_t>(weight);
    constexpr double kZero = 0;
    const double less = -weight;
    const void* row = &less;
    const auto at = counts_.begin() + static_cast<std::ptrdiff_t>(cluster * count_size());
    std::vector<std::int64_t> remainder(at, at + static_cast<std::ptrdiff_t>(count_size()));
    const Slices of_weights{&kZero, weight_spacings_.data(), weight_spacings_.size()};
    kernels().sums->add_real_rows[kFloat64 - kFirstReal](&row, 1, 1, of_weights, remainder.data());
    double high = 0, low = 0;
    kernels().sums->values(remainder.data(), 1, weight_spacings_.data(), remainder.size(), &high, &low);
    return high > 0;
}

bool ExactSums::values(std::size_t cluster, double* high, double* low) const {
    return kernels().sums->values(sums_.data() + cluster * row_size(), n_features_, spacings_.data(),
                                  spacings_.size(), high, low);
}

}  // namespace kmosaic
