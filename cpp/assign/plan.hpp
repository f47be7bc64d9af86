// Decides how rows are merged, seeded and assigned. The classes that do the work follow the plan and decide
// nothing.
//
// A plan follows from the type and shape of the rows, the number of clusters and how often the rows will be
// assigned. Three properties of the data are measured when they are first needed (probes) and recorded in the
// plan, which then decides: the mean error of quantised rows, the share of the rows' squares outside the PCA
// directions, and the number of distinct rows.
//
// No choice changes a label, a sum or a seed. The measurements behind the limits are in docs/measurements/.
#pragma once

#include <cstddef>
#include <string>

#include "core/rows.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic {

// On Zen 4 with AVX-512 and 16 to 1,000 clusters, low-dimensional kernels were 6 to 17 times as fast as
// panels of centroids at 8 features, and 2.4 to 6 times at 32, for uint8 (against integer products) and
// float32.
constexpr std::size_t kLowDimFeatures = kMaxLowDimFeatures;

// `steps_expected` of rows that are assigned again and again.
constexpr std::size_t kManySteps = 100;

// PCA codes rule out enough centroids up to this share of the rows' squares outside the PCA directions.
constexpr double kMaxOutsideShare = 0.22;

enum class Path {
    kInt16,        // int16 products, then float32, then exactly
    kFloat32,      // float32 products with every centroid, then exactly; bounds where Plan::bounds
    kOnePassInt8,  // int8 products with every centroid, no bounds
    kBoundedInt8,  // bounds, then int8 products, PCA codes first where they pay
    kExact,        // no filter
    kNearCenters,  // bounds, then float32 products with the centroids near the row's last one, then exactly
};
constexpr std::size_t kPaths = 6;
const char* name_of(Path path);

struct Plan {
    Path path = Path::kFloat32;
    bool bounds = false;         // kept from one step to the next
    bool pca_codes = false;      // of the rows, in front of their int8 codes
    bool small_labels = false;   // whether labels may be stored in a byte each
    std::size_t max_groups = 1;  // of centroids, with a lower bound each
    std::string reason;
};

// `steps_expected`: how often the same rows will be assigned. `pca_codes_made`: whether the rows already have
// PCA codes, made by k-means++.
Plan choose_plan(const Rows& rows, std::size_t n_clusters, std::size_t steps_expected, const Kernels& table,
                 bool pca_codes_made = false);
Plan choose_plan(const Rows& rows, std::size_t n_clusters, std::size_t steps_expected);

// Whether quantised rows are accurate enough. `error_share`: their mean error, as a share of the rows' mean
// distance from the mean row.
bool quantized_rows_pay(double error_share);

// Records the result of a probe in the plan, and changes the plan if need be.
void record_error_share(Plan& plan, double error_share);
void record_outside_share(Plan& plan, double outside_share);
// `share`: of the centroids that a row may be nearest to, given its last one; whether some share would pay.
bool near_centers_may_pay(const Plan& plan, const Rows& rows, std::size_t n_clusters);
void record_near_share(Plan& plan, const Rows& rows, std::size_t n_clusters, double share);

struct SeedingPlan {
    bool quantized =
        false;  // candidates are ruled out by int8 codes of the rows, else by the triangle inequality
    bool pca_codes = false;
    std::string reason;
};

SeedingPlan choose_seeding_plan(const Rows& rows, std::size_t n_seeds);
void record_error_share(SeedingPlan& plan, double error_share, double scale);
void record_outside_share(SeedingPlan& plan, double outside_share);

struct MergePlan {
    bool merge = false;            // whether equal rows become one row with a count
    std::size_t max_distinct = 0;  // merging does not pay with more distinct rows
    std::string reason;
};

MergePlan choose_merge_plan(const Rows& rows);
void record_distinct(MergePlan& plan, std::size_t n_distinct);

}  // namespace kmosaic
