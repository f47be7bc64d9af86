// Decides how rows are merged, seeded and assigned. Nothing else does: the classes that do the work are told.
//
// A plan follows from the type and shape of the rows, the number of clusters and how often the rows will be assigned. What
// only the data can tell is measured when it is first met (a probe) and handed to the plan, which decides and records it:
// the mean error of quantised rows, the share of the rows' squares outside the PCA directions, the number of distinct rows.
//
// No choice changes a label, a sum or a seed. The measurements behind the limits are in docs/measurements/.
#pragma once

#include <cstddef>
#include <string>

#include "core/rows.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic {

// On Zen 4 with AVX-512 low-dimensional kernels were faster than panels of centroids for 16 to 1,000 clusters: 6 to 17
// times at 8 features, 2.4 to 6 times at 32, uint8 (against integer products) and float32.
constexpr std::size_t kLowDimFeatures = kMaxLowDimFeatures;

// For rows that are assigned again and again.
constexpr std::size_t kManySteps = 100;

// The largest share of the rows' squares outside the PCA directions with which codes rule out enough.
constexpr double kMaxOutsideShare = 0.22;

enum class Path {
    kLowDimInt16,    // int16 products, then float32, then exactly
    kLowDimFloat32,  // float32 lanes, then exactly
    kOnePassInt8,    // int8 products with every centroid, no bounds
    kBoundedInt8,    // bounds, then int8 products, PCA codes first where they pay
    kFloat32,        // float32 products with every centroid
    kExact,          // no filter
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

// `steps_expected`: how often the same rows will be assigned; 1: once. `pca_codes_made`: whether there are PCA codes of the
// rows already, as those that k-means++ has made.
Plan choose_plan(const Rows& rows, std::size_t n_clusters, std::size_t steps_expected, const Kernels& table,
                 bool pca_codes_made = false);
Plan choose_plan(const Rows& rows, std::size_t n_clusters, std::size_t steps_expected);

// Whether quantised rows tell rows apart. `error_share`: their mean error, as a share of the mean distance to the mean row.
bool quantized_rows_pay(double error_share);

// What the probes of a plan have found.
void record_error_share(Plan& plan, double error_share);
void record_outside_share(Plan& plan, double outside_share);

struct SeedingPlan {
    bool quantized =
        false;  // candidates are ruled out by the rows' int8 codes; else by the triangle inequality
    bool pca_codes = false;
    std::string reason;
};

SeedingPlan choose_seeding_plan(const Rows& rows, std::size_t n_seeds);
void record_error_share(SeedingPlan& plan, double error_share, double scale);
void record_outside_share(SeedingPlan& plan, double outside_share);

struct MergePlan {
    bool merge = false;            // equal rows into one with a count
    std::size_t max_distinct = 0;  // with more distinct rows merging does not pay
    std::string reason;
};

MergePlan choose_merge_plan(const Rows& rows);
void record_distinct(MergePlan& plan, std::size_t n_distinct);

}  // namespace kmosaic
