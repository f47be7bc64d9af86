// The assignment step of the same rows, call after call. What a call learns speeds up the next; no label depends on it.
#pragma once

#include <cstdint>
#include <memory>

#include "assign/bounded_assigner.hpp"
#include "assign/low_dim_assigner.hpp"

namespace kmosaic {

class Assigner {
  public:
    // `use`: whether to sketch rows where that pays, which it does for seeds and for more than a few clusters.
    Assigner(const Rows& rows, const Parallel& parallel, PcaCodes::Use use = PcaCodes::kWherePaying);

    // As assign() of assign.hpp.
    std::size_t assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                       LabelChanges* changes = nullptr);

    [[nodiscard]] const Rows& rows() const { return rows_; }
    // Codes and sketches of the rows, or null where they would not pay.
    [[nodiscard]] const BoundedAssigner* bounded() const { return bounded_.get(); }

  private:
    Rows rows_;
    std::unique_ptr<LowDimAssigner> low_dim_;
    std::unique_ptr<BoundedAssigner> bounded_;
};

}  // namespace kmosaic
