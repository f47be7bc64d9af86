#pragma once

#include <nanobind/nanobind.h>

#include "update/cluster_sums.hpp"

namespace kmosaic {

// What fits over blocks of rows need in addition: pickling of sums, spacings for rows of many blocks, random
// rows.
void bind_blocks(nanobind::module_& m, nanobind::class_<ClusterSums>& partial);

}  // namespace kmosaic
