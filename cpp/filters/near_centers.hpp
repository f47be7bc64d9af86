// For each centroid, those within a radius of it: only they can be nearest to its rows.
//
// A row whose distance to its centroid is u has no nearer centroid beyond 2 u of that centroid (L25 in
// docs/developer/proof.md). Phillips (2002), "Acceleration of k-means and related clustering algorithms", ALENEX, there
// called compare-means.
#pragma once

#include <cstdint>
#include <vector>

#include "filters/float32_filter.hpp"
#include "filters/lane_filter.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

class NearCenters {
  public:
    NearCenters(const Centers& centers, Dtype dtype, const Kernels& table);

    [[nodiscard]] const LaneFilter& all() const { return all_; }
    [[nodiscard]] const ListedCenters& listed() const { return listed_; }
    [[nodiscard]] std::size_t n_clusters() const { return squares_.size(); }

    // For own_distances of ListedKernels.
    [[nodiscard]] OwnCenter own(std::size_t cluster) const;

    // One thread's search: of some centroids in turn.
    class Search {
      public:
        explicit Search(const NearCenters& all);

        // Goes on to a centroid.
        void start(std::size_t cluster);

        // The centroids that may be within the radius of the present one, in units of listed(): in ascending order,
        // filled up with one that is never nearest.
        CenterList within(float radius);
        // How many these are.
        [[nodiscard]] std::size_t n_found() const { return n_found_; }

      private:
        void multiply(std::size_t cluster);

        const NearCenters& all_;
        std::vector<float> rows_;      // centroids that are multiplied together
        std::vector<float> products_;  // of each of them with all centroids
        std::size_t first_ = 0;        // of the centroids in rows_
        std::size_t n_multiplied_ = 0;
        std::size_t cluster_ = 0;
        std::vector<std::uint32_t> list_;
        std::size_t n_found_ = 0;
    };

  private:
    const Kernels& table_;
    LaneFilter all_;
    Float32Filter filter_;
    std::vector<float> rows_;
    std::vector<float> norms_;
    std::vector<float> filter_norms_;  // infinite for copies of a centroid
    std::vector<double> squares_;      // |C|^2 in the units of filter_
    ListedCenters listed_;
};

}  // namespace kmosaic
