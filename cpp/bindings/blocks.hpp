#pragma once

#include <nanobind/nanobind.h>

#include "update/cluster_sums.hpp"

namespace kmosaic {

// What sums of blocks of rows need beyond those of rows in memory: pickling, grids for rows of many blocks, rows drawn.
void bind_blocks(nanobind::module_& m, nanobind::class_<ClusterSums>& partial);

}  // namespace kmosaic
