// The parts of the Python module.
#pragma once

#include <nanobind/nanobind.h>

#include "core/sparse_rows.hpp"
#include "update/cluster_sums.hpp"

namespace kmosaic {

// For fits over blocks of rows: pickling of sums, spacings for the rows of many blocks, and random rows.
void bind_blocks(nanobind::module_& m, nanobind::class_<ClusterSums>& cluster_sums);
// Colours of pictures: spaces, nearest colours of a palette, dithering.
void bind_colours(nanobind::module_& m);
// Equal rows of few bits, merged into one.
void bind_distinct_rows(nanobind::module_& m);
// Nearest rows, and distances between images.
void bind_neighbours(nanobind::module_& m);
// The nearest of a few centres, other ones for each row.
void bind_nearest_within(nanobind::module_& m);
// k-means++, seed by seed.
void bind_seeding(nanobind::module_& m);
// Sparse rows, and the errors of sums that do not go with them.
void bind_sparse(nanobind::module_& m, nanobind::class_<ClusterSums>& cluster_sums);
void check_sums(const ClusterSums& sums, const SparseRows& rows);
// Rows that come in parts: their hashes, the order of these, and sums of squares.
void bind_row_parts(nanobind::module_& m);
// The planner, to be asked and shown.
void bind_plan(nanobind::module_& m);
// Superpixels and their regions.
void bind_superpixels(nanobind::module_& m);

}  // namespace kmosaic
