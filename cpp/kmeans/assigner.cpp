#include "kmeans/assigner.hpp"

#include "kmeans/assign.hpp"

namespace kmosaic {

Assigner::Assigner(const Rows& rows, const Parallel& parallel, RowSketches::Use use) : rows_(rows) {
    if (rows.n_features <= kNarrowFeatures) narrow_ = std::make_unique<NarrowAssigner>(rows, parallel);
    if (narrow_ || rows.n_features > kMostByteFeatures) return;
    bounded_ = std::make_unique<BoundedAssigner>(rows, parallel, use);
    if (!bounded_->useful()) bounded_.reset();
}

std::size_t Assigner::assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                             Moves* moves) {
    check_finite(centers);
    if (narrow_) return narrow_->assign(centers, labels, parallel, moves);
    return bounded_ ? bounded_->assign(centers, labels.wide(), parallel, moves)
                    : kmosaic::assign(rows_, centers, labels, parallel, moves);
}

}  // namespace kmosaic
