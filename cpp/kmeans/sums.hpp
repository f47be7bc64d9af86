// Exact sums of rows by cluster, in 64-bit integers: any order, any partition of the rows and any history of rows that
// changed cluster give the same bits.
//
// Integer rows are summed as they are. Real rows are written in limbs: with grids g_1 > g_2 > g_3, powers of two, a
// value v is
//
//   v = g_1 a_1 + g_2 a_2 + g_3 a_3,    g_1 a_1 the multiple of g_1 nearest to v, g_2 a_2 that of g_2 nearest to the
//                                       rest v - g_1 a_1, and so on,
//
// and the whole numbers a_l are summed. sum_grids chooses n_limbs and the grids from the data such that nothing
// rounds. With N rows, w = min(50, 62 - ceil(log2 N)), 2^E > |v| for every v, and g_l = 2^(E - l w), or 2^-1074 where
// that is more:
//
// - t = v + 3/2 2^52 g rounds v to a multiple of g, since |v| < 2^w g <= 2^50 g keeps t between 2^52 g and 2^53 g, where
//   doubles lie g apart. So the bits of t, less those of 3/2 2^52 g, are the whole number a; and g a = t - 3/2 2^52 g is
//   exact, being a multiple of g below 2^53 g.
// - v - g a is exact. It is a multiple of v's last bit, as both are where v is no multiple of g (if v is, it is 0); and
//   no larger than v, since 0 is a multiple of g, too, and no nearer. So it needs no more bits than v has.
// - |v - g a| <= g/2, so the next limb, with g / 2^w, has its |v| < 2^w g again.
// - |a| <= 2^w, so the sum over any of N rows is at most 2^62 in size: int64 cannot overflow.
// - The rest after the last limb is 0: sum_grids looks at every value's last bit, and no double has one below 2^-1074.
//
// A value times a weight is h + l without rounding, two doubles that are cut into limbs one after the other: two terms a row,
// both below 2^E in size where the product is, both multiples of the product of the factors' last bits. Weights are summed
// in limbs of their own.
//
// Read in double-double (`values`), limb by limb from the coarsest on, a sum keeps a relative error of 3 2^-106 a limb, however
// its limbs cancel: what has been added up to g_l is a multiple of g_l, so that it is exact while it is below 2^104 g_l; and
// once it is not, what is to come, less than 2^62 g_l, cannot cancel it.
//
// v = x - origin, which is exact by the choice of the origin. -v has the limbs of v negated (nearest, ties to even), so
// leaving a cluster takes away what joining it had added, limb by limb.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

class Moves;
struct RowGroups;

class ExactSums {
  public:
    // Of integer rows.
    ExactSums(std::size_t n_clusters, std::size_t n_features);
    // Of real rows or, with grids for the weights too, of weighted rows.
    ExactSums(std::size_t n_clusters, std::vector<double> origin, std::vector<double> grids,
              std::vector<double> weight_grids = {});

    void add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel);
    void apply(Moves& moves, const Parallel& parallel);
    void merge(const ExactSums& other);
    // Take one of the rows that row i stands for from one cluster and give it to another.
    void move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to);
    void clear();

    // Take over the sums and counts of another of this shape and these grids; returns whether their sizes fit.
    bool set(const std::vector<std::int64_t>& sums, const std::vector<std::int64_t>& counts);
    [[nodiscard]] const std::vector<std::int64_t>& sums() const { return sums_; }
    [[nodiscard]] const std::vector<std::int64_t>& counts() const { return counts_; }
    // A cluster's total weight in double-double: (high, low).
    [[nodiscard]] std::pair<double, double> count(std::size_t cluster) const;
    // Whether a cluster has more weight than this, one of its rows'.
    [[nodiscard]] bool outweighs(std::size_t cluster, double weight) const;
    // A cluster's sum in double-double; returns whether some low is not 0.
    bool values(std::size_t cluster, double* high, double* low) const;

    // So few sums that every thread can have a table of its own.
    [[nodiscard]] bool small() const;
    [[nodiscard]] std::size_t size() const { return sums_.size(); }
    [[nodiscard]] std::size_t n_clusters() const { return counts_.size() / count_size(); }
    [[nodiscard]] const std::vector<double>& grids() const { return grids_; }
    [[nodiscard]] const std::vector<double>& weight_grids() const { return weight_grids_; }
    // Moves rows from cluster to cluster of a table of this shape.
    void move(const Rows& rows, std::span<const MovedRow> moved, const SumTable& table) const;
    [[nodiscard]] SumTable table(std::vector<std::int64_t>& sums, std::vector<std::int64_t>& counts) const;

  private:
    class GroupAdder;
    void add_slabs(const Rows& rows, const std::int32_t* labels, const Parallel& parallel);
    void add_groups(const Rows& rows, const RowGroups& groups, const Parallel& parallel);
    // Add a weighted row, as often as weight says, to a cluster's sum and count.
    void add_weighted(const Rows& rows, std::size_t i, double weight, std::int64_t* sum,
                      std::int64_t* count) const;
    [[nodiscard]] bool weighted() const { return !weight_grids_.empty(); }
    [[nodiscard]] std::size_t count_size() const { return weighted() ? weight_grids_.size() : 1; }
    [[nodiscard]] std::size_t row_size() const { return grids_.size() * n_features_; }
    [[nodiscard]] Limbs limbs() const { return {origin_.data(), grids_.data(), grids_.size()}; }

    std::size_t n_features_;
    bool integer_;
    std::vector<double> origin_;
    std::vector<double> grids_;
    std::vector<double> weight_grids_;  // none where rows have no weights
    std::vector<std::int64_t> sums_;    // [cluster][limb][feature]
    std::vector<std::int64_t> counts_;  // [cluster][limb]
};

}  // namespace kmosaic
