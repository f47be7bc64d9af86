// The assignment step of the same rows, call after call. Each call speeds up the next; no label depends on
// the calls before.
#pragma once

#include <cstdint>
#include <memory>

#include "assign/bounded_assigner.hpp"
#include "assign/low_dim_assigner.hpp"

namespace kmosaic {

class Assigner {
  public:
    // `use`: whether to make PCA codes where they pay, which they do for seeding and for more than a few
    // clusters.
    Assigner(const Rows& rows, const Parallel& parallel, PcaCodes::Use use = PcaCodes::kWherePaying);

    // As assign() of assign.hpp.
    std::size_t assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                       LabelChanges* changes = nullptr);

    [[nodiscard]] const Rows& rows() const { return rows_; }
    // The quantised rows and their PCA codes, or null where they would not pay.
    [[nodiscard]] const BoundedAssigner* bounded() const { return bounded_.get(); }

  private:
    Rows rows_;
    std::unique_ptr<LowDimAssigner> low_dim_;
    std::unique_ptr<BoundedAssigner> bounded_;
};

}  // namespace kmosaic
