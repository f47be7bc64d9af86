// Sums of rows by cluster in 64-bit integers, without rounding: neither the order of the rows, nor how they
// are divided, nor which rows changed cluster before changes a bit.
//
// Integer rows are summed as they are. Real rows are cut into slices, whole multiples of a few powers of two
// (their spacings), and these whole numbers are summed (L17 in docs/developer/proof.md). The product of a
// value and a weight is cut in the same way, and so are the weights themselves (L19). slice_spacings.hpp
// chooses spacings with which nothing rounds or overflows. Sums are read in double-double, from the coarsest
// slice to the finest (L20).
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "core/sparse_rows.hpp"

namespace kmosaic {

class LabelChanges;
struct RowGroups;

class ExactSums {
  public:
    // Of integer rows.
    ExactSums(std::size_t n_clusters, std::size_t n_features);
    // Of real rows or, if there are spacings for weights, of weighted rows.
    ExactSums(std::size_t n_clusters, std::vector<double> origin, std::vector<double> spacings,
              std::vector<double> weight_spacings = {});

    void add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel);
    void apply(LabelChanges& changes, const Parallel& parallel);
    void merge(const ExactSums& other) { add(other.sums_.data(), other.counts_.data()); }
    // Moves one of the rows that row i stands for from one cluster to another.
    void move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to);
    // Moves the rows whose labels differ, from those `before` (below 0: none) to those `after`.
    void move(const SparseRows& rows, const std::int32_t* before, const std::int32_t* after,
              const Parallel& parallel);
    void clear();

    // Replaces sums and counts by those of sums of the same shape and spacings; returns whether their sizes
    // fit.
    bool set(const std::vector<std::int64_t>& sums, const std::vector<std::int64_t>& counts);
    [[nodiscard]] const std::vector<std::int64_t>& sums() const { return sums_; }
    [[nodiscard]] const std::vector<std::int64_t>& counts() const { return counts_; }
    // A cluster's total weight in double-double: (high, low).
    [[nodiscard]] std::pair<double, double> count(std::size_t cluster) const;
    // Whether a cluster has more weight than `weight`, which is that of one of its rows.
    [[nodiscard]] bool outweighs(std::size_t cluster, double weight) const;
    // A cluster's sum in double-double; returns whether some `low` is not 0.
    bool values(std::size_t cluster, double* high, double* low) const;

    // Whether there are so few sums that every thread can have a table of its own.
    [[nodiscard]] bool small() const;
    [[nodiscard]] std::size_t size() const { return sums_.size(); }
    [[nodiscard]] std::size_t n_clusters() const { return counts_.size() / count_size(); }
    [[nodiscard]] std::size_t n_features() const { return n_features_; }
    [[nodiscard]] bool integer() const { return integer_; }
    [[nodiscard]] bool weighted() const { return !weight_spacings_.empty(); }
    [[nodiscard]] const std::vector<double>& origin() const { return origin_; }
    [[nodiscard]] const std::vector<double>& spacings() const { return spacings_; }
    [[nodiscard]] const std::vector<double>& weight_spacings() const { return weight_spacings_; }
    // Moves rows from cluster to cluster of a table of this shape.
    void move(const Rows& rows, std::span<const MovedRow> moved, const SumTable& table) const;
    [[nodiscard]] SumTable table(std::vector<std::int64_t>& sums, std::vector<std::int64_t>& counts) const;

  private:
    class GroupAdder;
    class SparseAdder;
    void add(const std::int64_t* sums, const std::int64_t* counts);
    void add_slabs(const Rows& rows, const std::int32_t* labels, const Parallel& parallel);
    void add_groups(const Rows& rows, const RowGroups& groups, const Parallel& parallel);
    // Adds a row, times the weight, to a cluster's sum, and the weight to its count.
    void add_weighted(const Rows& rows, std::size_t i, double weight, std::int64_t* sum,
                      std::int64_t* count) const;
    [[nodiscard]] std::size_t count_size() const { return weighted() ? weight_spacings_.size() : 1; }
    [[nodiscard]] std::size_t row_size() const { return spacings_.size() * n_features_; }
    [[nodiscard]] Slices slices() const { return {origin_.data(), spacings_.data(), spacings_.size()}; }

    std::size_t n_features_;
    bool integer_;
    std::vector<double> origin_;
    std::vector<double> spacings_;
    std::vector<double> weight_spacings_;  // empty if rows have no weights
    std::vector<std::int64_t> sums_;       // [cluster][slice][feature]
    std::vector<std::int64_t> counts_;     // [cluster][slice]
};

}  // namespace kmosaic
