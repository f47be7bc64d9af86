// What a block of rows contributes to the update step: per cluster the sum of its rows and their number, and
// the sum of squares of all rows. Partials add up to the Partial of the whole, and give its centroids and its
// J.
//
// Rows are summed exactly (sums.hpp). From reals `origin` is taken away first: a value with x - origin exact in float64,
// which keeps J free of cancellation where the data is far from zero.
#pragma once

#include <cstdint>
#include <vector>

#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"
#include "kmeans/sums.hpp"

namespace kmosaic {

// An origin with x - origin exact for every row: the smallest value of a feature whose values lie within a
// factor of two of each other (Sterbenz's lemma), else 0. `low` and `high` are each feature's least and
// greatest value.
std::vector<double> exact_origin(const std::vector<double>& low, const std::vector<double>& high);

struct Inertia {
    double value;
    double error;
};

// All that a Partial holds, to be sent to another process.
struct PartialState {
    std::size_t n_clusters;
    std::vector<double> origin;
    bool integer;
    std::vector<double> grids, weight_grids;
    std::vector<std::int64_t> sums, counts;
    std::vector<double> squares;  // high, low
    std::size_t n_rows;
};

class Partial {
  public:
    // Of unweighted integer rows.
    Partial(std::size_t n_clusters, std::size_t n_features);
    // Of unweighted real rows, with sum_grids; or of weighted rows, with weighted_grids.
    Partial(std::size_t n_clusters, std::vector<double> origin, std::vector<double> grids,
            std::vector<double> weight_grids = {});
    explicit Partial(const PartialState& state);
    [[nodiscard]] PartialState state() const;

    [[nodiscard]] std::size_t n_clusters() const { return n_clusters_; }
    [[nodiscard]] std::size_t n_features() const { return origin_.size(); }
    [[nodiscard]] bool integer() const { return integer_; }
    [[nodiscard]] bool weighted() const { return !sums_.weight_grids().empty(); }
    // Whether the sums are so few that any moves between clusters can be applied to them: never are too many listed, and
    // all rows summed anew.
    [[nodiscard]] bool few() const { return sums_.small(); }
    [[nodiscard]] const ExactSums& sums() const { return sums_; }

    // Add rows to the clusters their labels name.
    void add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel);
    // Bring the sums from the labels before an assignment step to the labels after it.
    void apply(Moves& moves, const std::int32_t* labels, const Parallel& parallel);
    // Add the sum of squares of rows, weighted: constant over a fit, so it is not part of `add`.
    void add_squares(const Rows& rows, const Parallel& parallel);
    void merge(const Partial& other);
    // A Partial of the same rows in n_clusters clusters: their squares, and no sums yet.
    [[nodiscard]] Partial emptied(std::size_t n_clusters) const;
    // Take row i, or one of the equal rows it stands for, from one cluster and give it to another.
    void move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to);
    // Whether another Partial's clusters have the same sums and counts, to the bit.
    [[nodiscard]] bool equal_sums(const Partial& other) const;
    // Forget the clusters' sums and counts; keep the sum of squares.
    void clear();

    // The total weight of a cluster's rows, rounded.
    [[nodiscard]] double count(std::size_t cluster) const { return sums_.count(cluster).first; }
    // Whether a cluster has more weight than this, one of its rows': without rounding.
    [[nodiscard]] bool outweighs(std::size_t cluster, double weight) const {
        return sums_.outweighs(cluster, weight);
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
    template <class Visit>
    void for_each_cluster(const Parallel& parallel, Visit visit) const;
    [[nodiscard]] double vanished() const;
    [[nodiscard]] Inertia inertia_of(const std::vector<ClusterCost>& costs) const;

    std::size_t n_clusters_;
    std::vector<double> origin_;
    bool integer_;
    ExactSums sums_;
    double squares_[2] = {0, 0};
    std::size_t n_rows_ = 0;  // whose squares these are
};

}  // namespace kmosaic
