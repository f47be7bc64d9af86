// What a block of rows contributes to the update step: per cluster the sum of its rows and their number, and
// the sum of squares of all rows. ClusterSums add up to the ClusterSums of the whole, and give its centroids and its
// J.
//
// Unweighted rows are summed exactly (exact_sums.hpp): integers always, reals wherever their grids can hold them. Other rows
// are summed in double-double, in row order. From reals `origin` is taken away first: a value with x - origin exact in
// float64, which keeps J free of cancellation where the data is far from zero.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "update/exact_sums.hpp"

namespace kmosaic {

// An origin with x - origin exact for every row: the smallest value of a feature whose values lie within a
// factor of two of each other (Sterbenz's lemma), else 0. `low` and `high` are each feature's least and
// greatest value.
std::vector<double> exact_origin(const std::vector<double>& low, const std::vector<double>& high);

struct Inertia {
    double value;
    double error;
};

// All that a ClusterSums holds, to be sent to another process: the arrays of one kind of sums are empty.
struct ClusterSumsState {
    std::size_t n_clusters;
    std::vector<double> origin;
    bool integer;
    std::vector<double> spacings;
    std::vector<std::int64_t> exact_sums, exact_counts;
    std::vector<double> high, low, counts;
    std::vector<double> squares;  // high, low
    std::size_t n_rows;
};

class ClusterSums {
  public:
    // `integer`: of unweighted integer rows. `grids`: those of slice_spacings, for unweighted real rows.
    ClusterSums(std::size_t n_clusters, std::vector<double> origin, bool integer,
                std::vector<double> spacings = {});
    explicit ClusterSums(const ClusterSumsState& state);
    [[nodiscard]] ClusterSumsState state() const;

    [[nodiscard]] std::size_t n_clusters() const { return n_clusters_; }
    [[nodiscard]] std::size_t n_features() const { return origin_.size(); }
    [[nodiscard]] bool integer() const { return integer_; }
    // Whether the sums are exact, so that rows can join and leave in any order.
    [[nodiscard]] bool exact() const { return exact_.has_value(); }
    // Whether the sums are exact, and so few that any moves between clusters can be applied to them: never are too many
    // listed, and all rows summed anew.
    [[nodiscard]] bool few() const { return exact_ && exact_->small(); }
    [[nodiscard]] const ExactSums* exact_sums() const { return exact_ ? &*exact_ : nullptr; }

    // Add rows to the clusters their labels name. Where sums are not exact, each cluster's rows are added in row order by
    // one thread.
    void add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel);
    // Bring the sums from the labels before an assignment step to the labels after it.
    void apply(LabelChanges& changes, const std::int32_t* labels, const Parallel& parallel);
    // Add the sum of squares of rows, weighted: constant over a fit, so it is not part of `add`.
    void add_squares(const Rows& rows, const Parallel& parallel);
    void merge(const ClusterSums& other);
    // A ClusterSums of the same rows in n_clusters clusters: their squares, and no sums yet.
    [[nodiscard]] ClusterSums emptied(std::size_t n_clusters) const;
    // Take row i, or one of the equal rows it stands for, from one cluster and give it to another.
    void move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to);
    // Whether another ClusterSums's clusters have the same sums and counts, to the bit.
    [[nodiscard]] bool equal_sums(const ClusterSums& other) const;
    // Forget the clusters' sums and counts; keep the sum of squares.
    void clear();

    // The total weight of a cluster's rows.
    [[nodiscard]] double count(std::size_t cluster) const {
        return exact_ ? static_cast<double>(exact_->count(cluster)) : counts_[2 * cluster];
    }
    // Each cluster's mean, correctly rounded in all but about one case in 2^50; a cluster without weight
    // keeps its row of `centers`.
    void means(double* centers, const Parallel& parallel = {}) const;
    // The same, and J there: sums that have been read for the means serve twice.
    Inertia update(double* centers, const Parallel& parallel = {}) const;
    // J of the summed rows at these centroids: sum w |x|^2 + sum_j c_j (c_j n_j - 2 S_j), in double-double.
    // A J below what double-double can tell from zero is 0. `error` bounds what cancellation may have cost.
    [[nodiscard]] Inertia inertia_within(const Centers& centers, const Parallel& parallel = {}) const;
    [[nodiscard]] double inertia(const Centers& centers) const { return inertia_within(centers).value; }

  private:
    class SumsReader;
    void add_row(const Rows& rows, std::size_t i, std::size_t cluster, double weight);
    template <class Visit>
    void for_each_cluster(const Parallel& parallel, Visit visit) const;
    [[nodiscard]] Inertia inertia_of(const std::vector<ClusterCost>& costs) const;

    std::size_t n_clusters_;
    std::vector<double> origin_;
    bool integer_;
    std::optional<ExactSums> exact_;  // or
    std::vector<double> high_, low_;  // n_clusters x n_features each, and
    std::vector<double> counts_;      // (high, low) a cluster
    double squares_[2] = {0, 0};
    std::size_t n_rows_ = 0;  // whose squares these are
};

}  // namespace kmosaic
