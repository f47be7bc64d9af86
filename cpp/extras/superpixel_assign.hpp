// The assignment step of SLIC.
#pragma once

#include "core/parallel.hpp"
#include "extras/superpixel_fit.hpp"

namespace kmosaic::superpixel {

// Labels all pixels; returns how many changed. What changed is added to the sums of the workspace.
std::size_t assign(Fit& fit, Workspace& workspace, const Parallel& parallel);

}  // namespace kmosaic::superpixel
