// What a block of rows contributes to the update step: of each cluster the sum of its rows and their weight,
// and the sum of squares of all rows. The ClusterSums of several blocks are merged; centroids and J follow
// from them.
//
// Rows are summed exactly (exact_sums.hpp). From real rows an origin is subtracted first, for which x -
// origin is exact in float64: this avoids cancellation in J if the data lie far from zero.
#pragma once

#include <cstdint>
#include <vector>

#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "core/sparse_rows.hpp"
#include "update/exact_sums.hpp"

namespace kmosaic {

// An origin for which x - origin is exact for every row: the value of least size of a feature whose values
// lie within a factor of two of each other (L17), else 0. `low` and `high` are the least and the greatest
// value of each feature.
std::vector<double> exact_origin(const std::vector<double>& low, const std::vector<double>& high);

struct Inertia {
    double value;
    double error;
};

// The contents of a ClusterSums, to be sent to another process.
struct ClusterSumsState {
    std::size_t n_clusters;
    std::vector<double> origin;
    bool integer;
    std::vector<double> spacings, weight_spacings;
    std::vector<std::int64_t> sums, counts;
    std::vector<double> squares;  // high, low
    std::size_t n_rows;
};

class ClusterSums {
  public:
    // Of unweighted integer rows.
    ClusterSums(std::size_t n_clusters, std::size_t n_features);
    // Of unweighted real rows, with slice_spacings; or of weighted rows, with weighted_spacings.
    ClusterSums(std::size_t n_clusters, std::vector<double> origin, std::vector<double> spacings,
                std::vector<double> weight_spacings = {});
    explicit ClusterSums(const ClusterSumsState& state);
    [[nodiscard]] ClusterSumsState state() const;

    [[nodiscard]] std::size_t n_clusters() const { return sums_.n_clusters(); }
    [[nodiscard]] std::size_t n_features() const { return sums_.n_features(); }
    [[nodiscard]] bool integer() const { return sums_.integer(); }
    [[nodiscard]] bool weighted() const { return sums_.weighted(); }
    // Whether there are so few sums that any number of label changes can be applied to them.
    [[nodiscard]] bool few() const { return sums_.small(); }
    [[nodiscard]] const ExactSums& sums() const { return sums_; }

    // Adds rows to the clusters of their labels.
    void add(const Rows& rows, const std::int32_t* labels, const Parallel& parallel) {
        sums_.add(rows, labels, parallel);
    }
    // Updates the sums from the labels before an assignment step to those after it.
    void apply(LabelChanges& changes, const std::int32_t* labels, const Parallel& parallel);
    // Adds the weighted sum of squares of rows. It is constant over a fit, and therefore not part of `add`.
    void add_squares(const Rows& rows, const Parallel& parallel);
    // Adds the sum, (high, low), of a block of rows: see square_sums.hpp.
    void add_square_sum(double high, double low, std::size_t n_rows);
    void merge(const ClusterSums& other);
    // Sums of the same rows in n_clusters clusters: with their squares, but no rows added yet.
    [[nodiscard]] ClusterSums emptied(std::size_t n_clusters) const;
    // Moves row i, or one of the equal rows that it stands for, from one cluster to another.
    void move(const Rows& rows, std::size_t i, std::size_t from, std::size_t to) {
        sums_.move(rows, i, from, to);
    }
    // Moves the rows whose labels differ, from those `before` (below 0: none) to those `after`.
    void move(const SparseRows& rows, const std::int32_t* before, const std::int32_t* after,
              const Parallel& parallel) {
        sums_.move(rows, before, after, parallel);
    }
    // Whether the clusters of `other` have the same sums and counts.
    [[nodiscard]] bool equal_sums(const ClusterSums& other) const;
    // Sets sums and counts to 0; the sum of squares stays.
    void clear() { sums_.clear(); }

    // The total weight of a cluster's rows, rounded.
    [[nodiscard]] double count(std::size_t cluster) const { return sums_.count(cluster).first; }
    // Whether a cluster has more weight than `weight`, which is that of one of its rows: without rounding.
    [[nodiscard]] bool outweighs(std::size_t cluster, double weight) const {
        return sums_.outweighs(cluster, weight);
    }
    // Writes each cluster's mean, correctly rounded but for about one case in 2^50 (L20). A cluster without
    // weight keeps its row of `centers`.
    void means(double* centers, const Parallel& parallel = {}) const;
    // The same, and returns J there; the sums are read once for both.
    Inertia update(double* centers, const Parallel& parallel = {}) const;
    // J of the summed rows at these centroids: sum w |x|^2 + sum_j c_j (c_j n_j - 2 S_j), in double-double.
    // `error` bounds its error (L18); a J that is not above it is 0.
    [[nodiscard]] Inertia inertia(const Centers& centers, const Parallel& parallel = {}) const;

  private:
    class SumsReader;
    template <class Visit>
    void for_each_cluster(const Parallel& parallel, Visit visit) const;
    [[nodiscard]] double underflow_error() const;
    [[nodiscard]] Inertia inertia_of(const std::vector<ClusterCost>& costs) const;

    ExactSums sums_;
    double squares_[2] = {0, 0};
    std::size_t n_rows_ = 0;  // of squares_
};

}  // namespace kmosaic
