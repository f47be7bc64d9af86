#include "assign/assigner.hpp"

#include "assign/assign.hpp"

namespace kmosaic {

Assigner::Assigner(const Rows& rows, const Parallel& parallel, PcaCodes::Use use) : rows_(rows) {
    if (rows.n_features <= kLowDimFeatures) low_dim_ = std::make_unique<LowDimAssigner>(rows, parallel);
    if (low_dim_ || rows.n_features > kMaxByteFeatures) return;
    bounded_ = std::make_unique<BoundedAssigner>(rows, parallel, use);
    if (!bounded_->useful()) bounded_.reset();
}

std::size_t Assigner::assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                             LabelChanges* changes) {
    check_finite(centers);
    if (low_dim_) return low_dim_->assign(centers, labels, parallel, changes);
    return bounded_ ? bounded_->assign(centers, labels.wide(), parallel, changes)
                    : kmosaic::assign(rows_, centers, labels, parallel, changes);
}

}  // namespace kmosaic
