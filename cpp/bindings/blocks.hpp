#pragma once

#include <nanobind/nanobind.h>

#include "update/cluster_sums.hpp"

namespace kmosaic {

// For fits over blocks of rows: pickling of sums, spacings for the rows of many blocks, and random rows.
void bind_blocks(nanobind::module_& m, nanobind::class_<ClusterSums>& cluster_sums);

}  // namespace kmosaic
