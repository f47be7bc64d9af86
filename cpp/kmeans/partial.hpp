// What a block of rows contributes to the update step: per cluster the sum of its rows and their number, and
// the sum of squares of all rows. Partials add up to the Partial of the whole, and give its centroids and its
// J.
//
// Rows of unweighted integers are summed in int64, exactly. Other rows are summed in double-double, in row
// order, after taking away `origin`: a value x with x - origin exact in float64, which keeps J free of
// cancellation where the data is far from zero.
#pragma once

#include <cstdint>
#include <vector>

#include "kmeans/parallel.hpp"
#include "kmeans/rows.hpp"

namespace kmosaic {

// An origin with x - origin exact for every row: the smallest value of a feature whose values lie within a
// factor of two of each other (Sterbenz's lemma), else 0. `low` and `high` are each feature's least and
// greatest value.
std::vector<double> exact_origin(const std::vector<double>& low, const std::vector<double>& high);

struct Inertia {
    double value;
    double error;
};

class Partial {
  public:
    Partial(std::size_t n_clusters, std::vector<double> origin, bool integer);

    [[nodiscard]] std::size_t n_clusters() const { return n_clusters_; }
    [[nodiscard]] std::size_t n_features() const { return origin_.size(); }
    [[nodiscard]] bool integer() const { return integer_; }

    // Add rows to the clusters their labels name. Each cluster's rows are added in row order by one thread.
    void add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel);
    // Add the sum of squares of rows, weighted: constant over a fit, so it is not part of `add`.
    void add_squares(const Rows& rows, const Parallel& parallel);
    void merge(const Partial& other);
    // Take row i from one cluster and give it to another.
    void move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to);
    // Forget the clusters' sums and counts; keep the sum of squares.
    void clear();

    // The total weight of a cluster's rows.
    [[nodiscard]] double count(std::size_t cluster) const { return counts_[2 * cluster]; }
    // Each cluster's mean, correctly rounded in all but about one case in 2^50; a cluster without weight
    // keeps its row of `centers`.
    void means(double* centers) const;
    // J of the summed rows at these centroids: sum w |x|^2 + sum_j c_j (c_j n_j - 2 S_j), in double-double.
    // A J below what double-double can tell from zero is 0. `error` bounds what cancellation may have cost.
    [[nodiscard]] Inertia inertia_within(const Centers& centers) const;
    [[nodiscard]] double inertia(const Centers& centers) const { return inertia_within(centers).value; }

  private:
    void add_row(const Rows& rows, std::size_t i, std::size_t cluster, double weight);
    void real_sum(std::size_t cluster, double* high, double* low) const;

    std::size_t n_clusters_;
    std::vector<double> origin_;
    bool integer_;
    std::vector<std::int64_t> integer_sums_;  // n_clusters x n_features, or
    std::vector<double> high_, low_;          // n_clusters x n_features each
    std::vector<double> counts_;              // (high, low) a cluster
    double squares_[2] = {0, 0};
    std::size_t n_rows_ = 0;  // whose squares these are
};

}  // namespace kmosaic
