// The assignment step of the same rows again and again: bounds carried from one call to the next spare most of the work.
//
// For each row an upper bound of the distance to its own centroid, and for each group of centroids (center_groups.hpp) a
// lower bound of the distance to its others. When centroids move, the upper bound grows by as much as the own centroid
// moved, and a group's lower bound falls by the most that one of the group moved (triangle inequality). A row whose
// upper bound is below all its lower bounds keeps its label and is not even looked at. Hamerly (2010), SDM; Ding
// et al. (2015), "Yinyang k-means", ICML, sections 2 and 3.
//
// Groups that remain are sifted (quantized_centers.hpp), survivors scored one by one, and what intervals cannot tell apart is
// decided exactly. So bounds, sketches and codes change the speed and never a label.
#pragma once

#include <cstdint>
#include <vector>

#include "filters/quantized_centers.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

constexpr std::uint16_t kMaxUnits = 0xFFFF;

class BoundedAssigner {
  public:
    // Codes must stay as long as this does, and be made by the same kernels.
    BoundedAssigner(const Rows& rows, const CodedRows& coded, std::size_t max_groups);

    // As assign(). Labels and centers may have changed in any way since the last call.
    std::size_t assign(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                       LabelChanges* changes = nullptr);

    [[nodiscard]] const PcaCodes& pca_codes() const { return pca_codes_; }

  private:
    friend class BoundedWorker;
    friend class RowBounds;

    void forget();
    void follow(const std::vector<double>& moved);
    void choose_fast_centers(const std::vector<double>& moved);
    void start(std::size_t n_clusters);
    void prepare(const Centers& centers, const Parallel& parallel);
    std::size_t step(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                     LabelChanges* changes);

    Rows rows_;
    const Kernels& table_;
    const QuantizedRows& codes_;
    const PcaCodes& pca_codes_;
    std::size_t max_groups_;
    std::vector<QuantizedCenters> centroids_;     // one, once there are any
    std::vector<std::uint32_t> groups_of_panel_;  // bits
    FastCenters fast_centers_;
    std::size_t n_calls_ = 0;
    std::vector<std::int32_t> labels_;         // those the bounds are for; -1: none
    std::vector<Neighbour> neighbours_;        // [row][kNeighbours]
    std::vector<double> center_drift_totals_;  // by centroid: how far it has moved since the start
    std::vector<float> upper_;                 // when the row was last measured, and
    std::vector<float> upper_slack_;           // how far its centroid has moved since
    std::vector<std::uint16_t> lower_;  // [row][group], in units: what it would be had the group not moved
    float unit_;
    std::vector<double> group_drift_;  // how far each group has moved since
    std::vector<float> center_drift_;  // by centroid: how far it moved in this call
    bool settled_ = false;             // whether few labels changed in the last call, and
    float lookahead_drift_ = 0;        // where so, the most that a group travelled in this one
};

}  // namespace kmosaic
