// The assignment step of the same rows, call after call, with bounds that are carried from one call to the
// next.
//
// Each row keeps an upper bound of the distance to its own centroid, and for each group of centroids
// (center_groups.hpp) a lower bound of the distances to the others. When centroids move, the upper bound
// grows by the drift of the own centroid, and a group's lower bound falls by the largest drift in the group
// (triangle inequality: L14 in docs/developer/proof.md). A row whose upper bound is below all its lower
// bounds keeps its label and is not read. Hamerly (2010), SDM; Ding et al. (2015), "Yinyang k-means", ICML,
// sections 2 and 3.
//
// The groups whose bounds fail are pruned by quantised scores (quantized_centers.hpp), the remaining
// candidates are scored one by one, and candidates whose intervals overlap are decided exactly. Bounds and
// codes change the speed, never a label.
#pragma once

#include "assign/bounded_state.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

class BoundedAssigner {
  public:
    // Codes must stay as long as this does, and be made by the same kernels.
    BoundedAssigner(const Rows& rows, const CodedRows& coded, std::size_t max_groups)
        : state_(rows, coded, max_groups) {}

    // As assign(). Labels and centers may have changed in any way since the last call.
    std::size_t assign(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                       LabelChanges* changes = nullptr);

    // The share of rows and panels that the last call had to multiply; 1 without bounds.
    [[nodiscard]] double pruned_share() const {
        const std::size_t n_panels = state_.centers.front().center_groups().n_panels();
        return static_cast<double>(state_.n_pruned) / static_cast<double>(state_.rows.n_rows * n_panels);
    }
    [[nodiscard]] const PcaCodes& pca_codes() const { return state_.pca_codes; }

  private:
    void follow(const std::vector<double>& moved);
    void choose_fast_centers(const std::vector<double>& moved);
    void prepare(const Centers& centers, const Parallel& parallel);
    std::size_t step(const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                     LabelChanges* changes);

    BoundState state_;
};

}  // namespace kmosaic
