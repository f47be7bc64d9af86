// The assignment step of the same rows, call after call. Each call speeds up the next; no label depends on
// the calls before.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "assign/bounded_assigner.hpp"
#include "assign/lane_assigner.hpp"
#include "assign/near_centers_assigner.hpp"
#include "assign/plan.hpp"

namespace kmosaic {

class Assigner {
  public:
    // `steps_expected`: how often the rows will be assigned. `range`: see LaneAssigner.
    explicit Assigner(const Rows& rows, std::size_t steps_expected = kManySteps,
                      const Int16Range* range = nullptr);

    // As assign() of assign.hpp.
    std::size_t assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                       LabelChanges* changes = nullptr);

    // The codes of the rows for a Seeder of so many seeds, valid as long as this; none if they do not pay.
    std::optional<CodedRows> code_for_seeds(std::size_t n_seeds, const Parallel& parallel);

    [[nodiscard]] const Rows& rows() const { return rows_; }
    // The plan of the last call, with the results of its probes.
    [[nodiscard]] const Plan& plan() const { return plan_; }
    [[nodiscard]] const SeedingPlan& seeding_plan() const { return seeding_plan_; }
    // How many calls took each path.
    [[nodiscard]] const std::array<std::size_t, kPaths>& n_steps() const { return n_steps_; }

  private:
    void plan_for(std::size_t n_clusters, const Parallel& parallel);
    // Null if quantised rows are not accurate enough.
    const PcaCodes* codes(bool with_pca, const Parallel& parallel);
    // Whether the rows' labels allow to meet only the centroids near them, and that pays.
    bool by_near_centers(const Centers& centers, const LabelArray& labels);
    std::size_t run(const Centers& centers, LabelArray labels, const Parallel& parallel,
                    LabelChanges* changes);

    Rows rows_;
    const Kernels& table_;
    std::size_t steps_expected_;
    std::size_t planned_clusters_ = 0;
    Plan plan_;
    std::optional<Plan> plan_without_labels_;  // where plan_ needs them
    SeedingPlan seeding_plan_;
    std::array<std::size_t, kPaths> n_steps_{};

    double error_share_ = 0;  // of quantised rows, once they have been made
    bool no_codes_ = false;   // because error_share_ is too large
    std::optional<double> outside_share_;
    std::unique_ptr<QuantizedRows> quantized_;
    std::unique_ptr<PcaCodes> norms_;  // without PCA codes
    std::unique_ptr<PcaCodes> pca_codes_;

    LaneAssigner lanes_;
    std::unique_ptr<BoundedAssigner> bounded_;
    std::unique_ptr<NearCentersAssigner> near_centers_;
    std::size_t steps_with_labels_ = 0;     // since they were last new
    std::size_t steps_without_bounds_ = 0;  // to come
    std::size_t pause_ = 0;                 // the next one, in steps
    std::size_t steps_in_vain_ = 0;         // in a row, whose bounds mostly failed
};

}  // namespace kmosaic
