// The assignment step of the same rows again and again: bounds carried from one call to the next spare most of the work.
//
// For each row an upper bound of the distance to its own centroid, and for each group of centroids (arrangement.hpp) a
// lower bound of the distance to its others. When centroids move, the upper bound grows by as much as the own centroid
// moved, and a group's lower bound falls by the most that one of the group moved (triangle inequality). A row whose
// upper bound is below all its lower bounds keeps its label and is not even looked at. Hamerly (2010), SDM; Ding
// et al. (2015), "Yinyang k-means", ICML, sections 2 and 3.
//
// Groups that remain are sifted (centroid_codes.hpp), survivors scored one by one, and what intervals cannot tell apart is
// decided exactly. So bounds, sketches and codes change the speed and never a label.
#pragma once

#include <cstdint>
#include <vector>

#include "kmeans/centroid_codes.hpp"
#include "kmeans/moves.hpp"

namespace kmosaic {

constexpr std::uint16_t kMostUnits = 0xFFFF;

class BoundedAssigner {
  public:
    BoundedAssigner(const Rows& rows, const Parallel& parallel,
                    RowSketches::Use use = RowSketches::kWherePaying);

    // As assign(). Labels and centers may have changed in any way since the last call.
    std::size_t assign(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                       Moves* moves = nullptr);

    // The instruction set that codes and sketches are for.
    [[nodiscard]] const Kernels& table() const { return table_; }
    [[nodiscard]] const RowCodes& codes() const { return codes_; }
    [[nodiscard]] const RowSketches& sketches() const { return sketches_; }
    [[nodiscard]] bool useful() const { return codes_.useful(sketches_.norms()); }

  private:
    friend class BoundedWorker;
    friend class RowBounds;

    void forget();
    void follow(const std::vector<double>& moved);
    void choose_movers(const std::vector<double>& moved);
    void start(std::size_t n_clusters);
    void prepare(const Centers& centers, const Parallel& parallel);
    std::size_t step(const Centers& centers, std::int32_t* labels, const Parallel& parallel, Moves* moves);

    Rows rows_;
    const Kernels& table_;
    RowCodes codes_;
    RowSketches sketches_;
    std::size_t most_groups_;
    std::vector<CentroidCodes> centroids_;        // one, once there are any
    std::vector<std::uint32_t> groups_of_panel_;  // bits
    Movers movers_;
    std::size_t n_calls_ = 0;
    std::vector<std::int32_t> labels_;   // those the bounds are for; -1: none
    std::vector<Neighbour> neighbours_;  // [row][kNeighbours]
    std::vector<double> ways_;           // by centroid: how far it has moved since the start
    std::vector<float> upper_;           // when the row was last measured, and
    std::vector<float> drifted_;         // how far its centroid has moved since
    std::vector<std::uint16_t> lower_;   // [row][group], in units: what it would be had the group not moved
    float unit_;
    std::vector<double> travelled_;  // how far each group has moved since
    std::vector<float> drift_;       // by centroid: how far it moved in this call
    bool calm_ = false;              // whether few labels changed in the last call, and
    float closing_ = 0;              // where so, the most that a group travelled in this one
};

}  // namespace kmosaic
