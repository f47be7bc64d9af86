// The assignment step of rows that are assigned once, as in predict: every row's bytes are multiplied with
// every centroid's int8 codes, and centroids whose intervals (quantized_centers.hpp) overlap are refined. PCA
// codes and bounds would cost more than they save. Rows of other types than bytes are quantised some
// thousands at a time.
#pragma once

#include <cstdint>
#include <optional>

#include "assign/plan.hpp"
#include "core/parallel.hpp"
#include "core/rows.hpp"
#include "filters/quantized_centers.hpp"
#include "update/label_changes.hpp"

namespace kmosaic {

// As assign(). Records the error share of the first rows' codes in the plan; returns nothing, and has done
// nothing, if the plan then drops the codes.
std::optional<std::size_t> assign_in_one_pass(Plan& plan, const Kernels& table, const Rows& rows,
                                              const Centers& centers, std::int32_t* labels,
                                              const Parallel& parallel, LabelChanges* changes);

std::size_t assign_in_one_pass(const CodedRows& coded, const Rows& rows, std::size_t begin,
                               const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                               LabelChanges* changes);

}  // namespace kmosaic
