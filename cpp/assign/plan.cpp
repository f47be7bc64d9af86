#include "assign/plan.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>

#include "assign/lane_assigner.hpp"
#include "assign/lane_bounds.hpp"
#include "assign/row_bounds.hpp"
#include "core/distinct_rows.hpp"
#include "filters/int16_filter.hpp"
#include "filters/pca_codes.hpp"
#include "filters/quantized_rows.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// For rows of other types than uint8 that are assigned once. Quantising them pays from so many centroids on,
// choosing their scale from so many rows on.
constexpr std::size_t kMinOnePassClusters = 512;
constexpr std::size_t kMinOnePassRows = 8192;

// A row's float32 products with all centroids, up to which they are faster than bounds, and than int8 products: on
// Zen 4 with AVX-512, over 25 steps of blobs, noise and rows of low rank. Bytes cost more to bring to float32.
constexpr std::size_t kMaxFloat32Products = 12288;
constexpr std::size_t kMaxFloat32ByteProducts = 8192;
constexpr std::size_t kMaxFloat32Bytes = 128;

// PCA codes must be much shorter than the rows that they replace, and finding the directions costs as much as
// some thousand rows. Few clusters do not make up for that: MNIST, k = 10, one thread, 25 steps take 283 ms
// with and without. Codes that were made for seeding save a twelfth.
constexpr std::size_t kMinPcaFeatures = 3 * kPcaFeatures;
constexpr std::size_t kMinPcaRows = 4096;
constexpr std::size_t kMinPcaProducts =
    160;  // of rows and clusters, for each feature: directions cost its square
constexpr std::size_t kMaxClustersWithoutPca = 16;
// For seeds, each the best of 2 + ln k candidates. MNIST, one thread, making the codes included: 75 ms with
// codes against 62 without for 5 seeds, 100 against 110 for 8, 109 against 129 for 10, 199 against 332 for
// 32.
constexpr std::size_t kMaxSeedsWithoutPca = 6;

// The bounds of groups take at most a thirty-second of a row's size. Twice as many groups gain nothing on
// MNIST.
constexpr std::size_t kBytesPerGroup = 64;

constexpr double kMaxErrorShare = 1.0 / 8;

// Seeds are found in units of quantised rows: the squares of distances must be far from the limits of float64
// (L22).
constexpr double kMinScale = 1e-120;
constexpr double kMaxScale = 1e120;

// A fit of fewer rows takes less time than counting the equal ones.
constexpr std::size_t kMinRowsToMerge = std::size_t{1} << 15;
// On two cores, merging and expanding 4.2 million pixels takes 13 ms if 5% of them are distinct and 18 ms if
// 22% are. An iteration over all of them takes 2 ms for 16 clusters and 6 ms for 64: at 22% merging pays
// after four to ten iterations, without what it saves in seeding.
constexpr std::size_t kMinRowsPerDistinct = 3;

// What a row costs that meets only the centroids near its last one, in products in float32: comparing a score, what a
// listed centroid costs more than one of all, a row and each of its values brought into lanes by itself.
constexpr double kComparison = 3;
constexpr double kListing = 1.5;
constexpr double kPerRow = 3000;
constexpr double kPerValue = 40;

// How many products with all centroids take as long as one in float32. (Where near centroids are few, codes of other
// rows than bytes leave so much to refine that they are hardly faster.)
double speed_of(const Plan& plan, const Rows& rows) {
    if (plan.path == Path::kInt16) return 2;
    if (plan.path != Path::kBoundedInt8) return 1;
    return rows.dtype == kUint8 || rows.dtype == kInt8 ? 4 : plan.pca_codes ? 2 : 1;
}

bool near_centers_pay(const Plan& plan, const Rows& rows, std::size_t n_clusters, double share) {
    const auto k = static_cast<double>(n_clusters);
    const auto d = static_cast<double>(rows.n_features);
    const double with_all = k * (d + kComparison) / speed_of(plan, rows);
    const double with_near = share * k * (d + kComparison) * kListing +
                             k * k * (d + 1) / static_cast<double>(rows.n_rows) + kPerRow + kPerValue * d;
    return with_near < with_all;
}

std::string number(std::size_t value) {
    std::string digits = std::to_string(value);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
    return digits;
}

std::string percent(double share) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3g%%", 100 * share);
    return text;
}

std::string shape_of(const Rows& rows) {
    return number(rows.n_rows) + " x " + number(rows.n_features) + " " + kDtypeNames[rows.dtype];
}

std::size_t groups_for(const Rows& rows) {
    return std::bit_floor(std::clamp<std::size_t>(rows.row_bytes() / kBytesPerGroup, 1, kMaxGroups));
}

// Why there are no PCA codes; empty if there are.
std::string without_pca(const Rows& rows, std::size_t n, const char* unit, std::size_t most) {
    if (rows.n_features < kMinPcaFeatures)
        return number(rows.n_features) + " features are fewer than " + number(kMinPcaFeatures);
    if (rows.n_rows < kMinPcaRows) return number(rows.n_rows) + " rows are fewer than " + number(kMinPcaRows);
    if (n <= most) return number(n) + " " + unit + " are no more than " + number(most);
    if (rows.n_rows * n < kMinPcaProducts * rows.n_features)
        return number(rows.n_rows * n) + " pairs of rows and " + unit + " are few for " +
               number(rows.n_features) + " features";
    return {};
}

void choose_of_long_rows(Plan& plan, const Rows& rows, std::size_t n_clusters) {
    const std::size_t filter_bytes = round_up(n_clusters, kPanelWidth) * rows.n_features * sizeof(float);
    plan.reason += "more features than the " + number(kMaxByteFeatures) + " of int8 products";
    if (filter_bytes <= rows.n_rows * rows.row_bytes()) return;
    plan.path = Path::kExact;
    plan.reason += "; centroids in float32 would take more memory than the rows";
}

std::string error_words(double error_share) {
    return "errors are " + percent(error_share) + " of distances, limit " + percent(kMaxErrorShare);
}

// In a Plan or a SeedingPlan.
template <class AnyPlan>
void record_outside(AnyPlan& plan, double outside_share) {
    plan.pca_codes = !(outside_share > kMaxOutsideShare);
    plan.reason += plan.pca_codes ? "; PCA codes kept: " : "; PCA codes considered, dropped: ";
    plan.reason += percent(outside_share) + " of the squares lie outside " + number(kPcaFeatures) +
                   " directions, limit " + percent(kMaxOutsideShare);
}

// Whether float32 products with every centroid cost less than bounds, or than int8 products without them, would.
bool float32_pays(const Rows& rows, std::size_t n_clusters) {
    if (rows.n_features <= kLowDimFeatures) return true;
    if (size_of(rows.dtype) == 1)
        return rows.n_features <= kMaxFloat32Bytes && n_clusters * rows.n_features <= kMaxFloat32ByteProducts;
    return n_clusters * rows.n_features <= kMaxFloat32Products;
}

void choose_float32(Plan& plan, const Rows& rows, std::size_t n_clusters, bool repeated,
                    const Kernels& table) {
    const bool low_dim = rows.n_features <= kLowDimFeatures;
    plan.small_labels = low_dim && n_clusters <= kMaxSmallLabels;
    plan.reason += low_dim ? number(rows.n_features) + " features are no more than " + number(kLowDimFeatures)
                           : number(n_clusters * rows.n_features) + " products a row are few";
    if (low_dim && (rows.dtype == kUint8 || rows.dtype == kUint16)) {
        if (table.int16 && n_clusters <= kMaxInt16Clusters) {
            plan.path = Path::kInt16;
            plan.reason += "; integers of at most " + number(kMaxInt16Clusters) +
                           " clusters, int16 kernels of " + table.name +
                           ", which cost hardly more than bounds would";
            return;
        }
        plan.reason += table.int16 ? "; " + number(n_clusters) + " clusters are more than int16's " +
                                         number(kMaxInt16Clusters)
                                   : std::string("; no int16 kernels of ") + table.name;
    }
    plan.path = Path::kFloat32;
    plan.bounds = repeated && n_clusters <= LaneBounds::kMaxClusters;
    plan.reason += plan.bounds ? "; bounds from the second step on" : "; no bounds";
}

void choose_once(Plan& plan, const Rows& rows, std::size_t n_clusters) {
    const bool many = n_clusters >= kMinOnePassClusters && rows.n_rows >= kMinOnePassRows;
    const bool bytes = size_of(rows.dtype) == 1;
    if (bytes || many) {
        plan.path = Path::kOnePassInt8;
        plan.reason += "assigned once; ";
        plan.reason += bytes ? "rows are their own int8 codes" : "enough rows and clusters to quantise them";
        return;
    }
    plan.reason += "assigned once; int8 codes pay from " + number(kMinOnePassClusters) + " clusters and " +
                   number(kMinOnePassRows) + " rows on";
}

void choose_bounded(Plan& plan, const Rows& rows, std::size_t n_clusters, bool pca_codes_made) {
    plan.path = Path::kBoundedInt8;
    plan.bounds = true;
    plan.max_groups = groups_for(rows);
    plan.reason += "assigned again and again; bounds of at most " + number(plan.max_groups) + " groups";
    if (pca_codes_made) {
        plan.pca_codes = true;
        plan.reason += "; PCA codes, which have been made before";
        return;
    }
    const std::string why = without_pca(rows, n_clusters, "clusters", kMaxClustersWithoutPca);
    plan.pca_codes = why.empty();
    if (!why.empty()) plan.reason += "; no PCA codes: " + why;
}

}  // namespace

const char* name_of(Path path) {
    constexpr const char* kNames[kPaths] = {"int16",        "float32", "one_pass_int8",
                                            "bounded_int8", "exact",   "near_centers"};
    return kNames[static_cast<std::size_t>(path)];
}

Plan choose_plan(const Rows& rows, std::size_t n_clusters, std::size_t steps_expected, const Kernels& table,
                 bool pca_codes_made) {
    Plan plan;
    plan.reason = shape_of(rows) + ", " + number(n_clusters) + " clusters: ";
    const bool repeated = steps_expected > 1;
    if (float32_pays(rows, n_clusters))
        choose_float32(plan, rows, n_clusters, repeated, table);
    else if (rows.n_features > kMaxByteFeatures)
        choose_of_long_rows(plan, rows, n_clusters);
    else if (repeated)
        choose_bounded(plan, rows, n_clusters, pca_codes_made);
    else
        choose_once(plan, rows, n_clusters);
    return plan;
}

Plan choose_plan(const Rows& rows, std::size_t n_clusters, std::size_t steps_expected) {
    return choose_plan(rows, n_clusters, steps_expected, kernels());
}

bool quantized_rows_pay(double error_share) {
    return error_share < kMaxErrorShare;
}

void record_error_share(Plan& plan, double error_share) {
    if (error_share == 0) return;  // rows are their own codes
    if (quantized_rows_pay(error_share)) {
        plan.reason += "; int8 codes kept: " + error_words(error_share);
        return;
    }
    plan.path = Path::kFloat32;
    plan.bounds = plan.pca_codes = false;
    plan.reason += "; int8 codes considered, dropped: " + error_words(error_share);
}

void record_outside_share(Plan& plan, double outside_share) {
    record_outside(plan, outside_share);
}

bool near_centers_may_pay(const Plan& plan, const Rows& rows, std::size_t n_clusters) {
    return near_centers_pay(plan, rows, n_clusters, 0);
}

void record_near_share(Plan& plan, const Rows& rows, std::size_t n_clusters, double share) {
    const bool pays = near_centers_pay(plan, rows, n_clusters, share);
    plan.reason += pays ? "; only centroids near the last one: "
                        : "; only centroids near the last one considered, dropped: ";
    plan.reason += percent(share) + " of them";
    if (!pays) return;
    plan.path = Path::kNearCenters;
    plan.bounds = true;
    plan.pca_codes = false;
}

SeedingPlan choose_seeding_plan(const Rows& rows, std::size_t n_seeds) {
    SeedingPlan plan;
    plan.reason = number(n_seeds) + " seeds: ";
    if (rows.n_features <= kLowDimFeatures || rows.n_features > kMaxByteFeatures) {
        plan.reason += "triangle inequality and tiles of distances, " + number(rows.n_features) + " features";
        return plan;
    }
    plan.quantized = true;
    const std::string why = without_pca(rows, n_seeds, "seeds", kMaxSeedsWithoutPca);
    plan.pca_codes = why.empty();
    plan.reason += "int8 codes";
    if (!why.empty()) plan.reason += "; no PCA codes: " + why;
    return plan;
}

void record_error_share(SeedingPlan& plan, double error_share, double scale) {
    plan.quantized = quantized_rows_pay(error_share) && scale > kMinScale && scale < kMaxScale;
    plan.pca_codes = plan.pca_codes && plan.quantized;
    if (error_share == 0 && plan.quantized) return;
    plan.reason += plan.quantized ? "; kept: " : "; dropped for the triangle inequality: ";
    plan.reason += error_words(error_share);
}

void record_outside_share(SeedingPlan& plan, double outside_share) {
    record_outside(plan, outside_share);
}

MergePlan choose_merge_plan(const Rows& rows) {
    MergePlan plan;
    plan.max_distinct = rows.n_rows / kMinRowsPerDistinct;
    plan.merge = rows.n_rows >= kMinRowsToMerge && DistinctRows::mergeable(rows);
    if (rows.n_rows < kMinRowsToMerge)
        plan.reason = "equal rows not merged: fewer than " + number(kMinRowsToMerge) + " rows";
    else if (!plan.merge)
        plan.reason = "equal rows not merged: more than 24 bits a row, or weights";
    return plan;
}

void record_distinct(MergePlan& plan, std::size_t n_distinct) {
    plan.merge = n_distinct <= plan.max_distinct;
    plan.reason = plan.merge ? "equal rows merged: " + number(n_distinct) + " distinct"
                             : "equal rows considered, not merged: more than " + number(plan.max_distinct) +
                                   " distinct";
}

}  // namespace kmosaic
