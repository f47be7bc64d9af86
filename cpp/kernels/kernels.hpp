// The table of kernels that every instruction set provides: plain pointers; nothing allocates or throws.
//
// There are two kinds of kernels. Those of the filters (bounds, bytes, float32, int16, lane_scores) only rule
// centroids out; they may round in any way within the error bounds proved in docs/developer/proof.md, whose
// lemmas are cited as L3 etc. The others (exact, sums, distinct_rows, distortion) do the same operations in
// the same order on every instruction set, so that their results are the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtypes.hpp"
#include "kernels/lane_table.hpp"

namespace kmosaic {

// Centroids are laid out in panels: panel[feature][lane], one lane per centroid.
constexpr std::size_t kPanelWidth = 16;
constexpr std::size_t kExactPanelWidth = 8;

// Features are summed in chunks of this many before chunks are added: 256 x 3 panels x 64 bytes stay in
// L1/L2, and the rounding error grows with the chunk, not with n_features (L3).
constexpr std::size_t kFeatureChunk = 256;

struct Float32Kernels {
    // Rows multiplied together; the caller pads its block of rows to a multiple.
    std::size_t row_group;

    // out = (row - origin) * scale in float32, n values; returns the sum of squares of out.
    float (*widen[kDtypes])(const void* row, std::size_t n, const double* origin, double scale, float* out);

    // products[r * n_panels * kPanelWidth + j] = rows[r] . centroid j, for n_rows a multiple of row_group.
    void (*products)(const float* rows, std::size_t n_rows, std::size_t n_features, const float* panels,
                     std::size_t n_panels, float* products);

    // scores = norms - 2 products, in place; returns the smallest. n is a multiple of kPanelWidth.
    float (*scores)(float* products, const float* norms, std::size_t n);

    // How many scores are <= limit, and in `last` the index of the last of them.
    std::size_t (*count)(const float* scores, std::size_t n, float limit, std::size_t* last);
};

struct ExactKernels {
    // out = row in float64.
    void (*widen[kDtypes])(const void* row, std::size_t n, double* out);

    // |a - b|^2: 16 interleaved partial sums, added as a tree.
    double (*squared_distance)(const double* a, const double* b, std::size_t n);

    // out[r * kExactPanelWidth + j] = |rows[r] - centre j|^2, features added first to last.
    void (*squared_distances)(const double* rows, std::size_t n_rows, std::size_t n_features,
                              const double* panel, double* out);

    // A hash of the row's values, the same for every dtype; -0 equals 0.
    std::uint64_t (*hash[kDtypes])(const void* row, std::size_t n);

    // out[j] -= 2 sum_v values[v] table[columns[v] * width + j], values first to last; width is a multiple of
    // kExactPanelWidth.
    void (*subtract_products)(const double* values, const std::int32_t* columns, std::size_t n_values,
                              const double* table, std::size_t width, double* out);
};

constexpr std::size_t kMaxSlices = 128;

// How real rows are written in whole numbers, for exact sums (L17). Slice l of a value is the multiple of
// spacings[l] nearest to what the slices before it leave of the value.
struct Slices {
    const double* origin;    // [feature]: the value is x - origin, exact in float64
    const double* spacings;  // powers of two
    std::size_t n_slices;
};

// A row that went from one cluster to another; `from` is n_clusters where it was in none yet.
struct MovedRow {
    std::size_t row;
    std::uint32_t from;
    std::uint32_t to;
};

// Small tables of sums, [cluster][slice][feature], and of numbers of rows, [cluster].
struct SumTable {
    std::size_t n_clusters;
    std::size_t n_features;
    std::int64_t* sums;
    std::int64_t* counts;
};

// A cluster's sums in double-double, from which its mean and its cost follow.
struct ClusterSumView {
    std::size_t n_features;
    const double* origin;
    const double* high;
    const double* low;
    double count[2];
    bool plain;  // origin, low and count[1] are all 0
};

constexpr std::size_t kCostLanes = 16;
constexpr std::size_t kCostSteps = 64;

struct ClusterCost {
    double high;
    double low;
    double magnitude;  // the sum of the terms' sizes
};

// Sums of rows. Sums in 64-bit integers are exact, so that their order does not matter; the others are in
// double-double, in the same order on every instruction set.
struct SumKernels {
    // sums += each of the rows. n_rows times the largest value must fit 32 bits, the sign included.
    void (*add_integer_rows[kIntegers])(const void* const* rows, std::size_t n_rows, std::size_t n_features,
                                        std::int32_t* sums);
    // sums[slice][feature] += each of the rows.
    void (*add_real_rows[kReals])(const void* const* rows, std::size_t n_rows, std::size_t n_features,
                                  const Slices& slices, std::int64_t* sums);
    // sums[slice][feature] += weight (row - origin): the slices of both halves of the products (L19).
    void (*add_weighted[kDtypes])(const void* row, std::size_t n, double weight, const Slices& slices,
                                  std::int64_t* sums);
    // totals += sums, or -= where negative.
    void (*add_sums)(const std::int32_t* sums, std::size_t n, bool negative, std::int64_t* totals);
    void (*add_totals)(const std::int64_t* sums, std::size_t n, bool negative, std::int64_t* totals);

    // sums += factor row.
    void (*add_integers[kIntegers])(const void* row, std::size_t n, std::int64_t factor, std::int64_t* sums);
    // Moves some of n_rows rows, each as often as counts says (null: once), from cluster to cluster.
    void (*move_integers[kIntegers])(const void* rows, std::size_t n_rows, const std::uint32_t* counts,
                                     const MovedRow* moved, std::size_t n_moved, const SumTable& table);
    void (*move_reals[kReals])(const void* rows, const Slices& slices, const MovedRow* moved,
                               std::size_t n_moved, const SumTable& table);

    // Extends the range from low to high to the row's values.
    void (*widen_range[kReals])(const void* row, std::size_t n, double* low, double* high);
    // The least power of two that a last bit of a value x - origin is worth; infinity where all are 0.
    double (*least_bit[kReals])(const void* row, std::size_t n, const double* origin);

    // The sum of squares; n values of at most 2^16.
    std::uint64_t (*sum_of_squares[kIntegers])(const void* row, std::size_t n);
    // (high, low) += weight (row - origin)^2 in double-double. `row - origin` must be exact in float64; no
    // origin, of rows of weight 1, is one of zeros.
    void (*add_squares[kDtypes])(const void* row, std::size_t n, double weight, const double* origin,
                                 double* high, double* low);

    // (high, low) = the sum over slices of sums[slice][feature] spacings[slice]; returns whether some low is
    // not 0.
    bool (*values)(const std::int64_t* sums, std::size_t n, const double* spacings, std::size_t n_slices,
                   double* high, double* low);
    // centre = origin + sum / count, rounded from double-double.
    void (*mean)(const ClusterSumView& sums, double* centre);
    // The sum over features of x (x count - 2 s), x = centre - origin and s the cluster's sum: a cluster's
    // part of J less the constant sum of squares. kCostLanes interleaved partial sums, added as a tree; the
    // error is within (8 n_features + 4 steps^2) 2^-106 magnitude, `steps` the number of terms a lane sums at
    // a time, at most kCostSteps (L18).
    ClusterCost (*cost)(const ClusterSumView& sums, const double* centre);
};

// Sixteen quantised centroids. The score of lane l for a row is constants[l] - scales[l] * (row . codes of
// l), within row.norm * norm_errors[l] + row.outside_norm * outside_errors[l] and the slack for rounding (L10
// to L12).
struct BytePanel {
    const std::int8_t* codes;  // [quad][lane][4]
    std::size_t n_quads;
    const float* constants;
    const float* scales;
    const float* norm_errors;
    const float* outside_errors;
    unsigned group_lanes;  // 1, 2, 4, 8 or 16 neighbouring lanes share a bound
};

struct ByteRow {
    const std::uint8_t* codes;  // readable to the end of the last quad
    float norm;
    float outside_norm;
    float limit;  // lanes whose lower bound is above it are ruled out
};

// Rows to prune by one panel, or by several contiguous panels that share a bound.
struct Pruning {
    const ByteRow* rows;
    std::size_t n_rows;
    std::size_t n_panels;
    const std::uint16_t* excluded;  // [panel][row]: a bit for each lane to ignore
    std::uint16_t*
        unpruned;  // [panel][row]: a bit for each lane whose lower bound is not above the row's limit
    float* least;  // [row][group]: the least lower bound of the group's pruned lanes
};

struct BytePair {
    const std::uint8_t* row;
    const std::int8_t* codes;
};

// A centroid less the mean, w, in int8 codes q and r: w = step q + e, e = residual_step r + f (L10).
struct EncodedCenter {
    double step;
    double square;        // |w|^2
    double error_square;  // |e|^2
    double mean_product;  // q . mean
    double residual_step;
    double residual_error_square;  // |f|^2
    double residual_mean_product;  // r . mean
};

// The result of quantising values z to bytes: the sums of value^2 and of (z - code)^2, in float32.
struct Quantised {
    float square;
    float error_square;
};

// Kernels on rows of bytes: see filters/quantized_centers.hpp.
struct ByteKernels {
    // Larger codes would saturate.
    int largest_code;

    // products[r * n_panels * kPanelWidth + j] = rows[r] . codes of j over 4 n_quads features, exactly.
    // Panels are [panel][quad][lane][4]; each row must be readable to the end of its last quad.
    void (*products)(const std::uint8_t* const* rows, std::size_t n_rows, std::size_t n_quads,
                     const std::int8_t* panels, std::size_t n_panels, std::int32_t* products);

    void (*prune)(const BytePanel& first, const Pruning& pruning);

    // nearest[r] = a lane of least score (any of equal ones) of n_panels contiguous panels.
    void (*guess)(const BytePanel& first, std::size_t n_panels, const std::uint8_t* const* rows,
                  std::size_t n_rows, std::int32_t* nearest);

    // Lists, ascending, the lanes whose lower bound is not more than row.limit above the least upper bound of
    // all lanes; returns how many. n_lanes is a multiple of kPanelWidth; `all` is the first of the contiguous
    // panels.
    std::size_t (*list_candidates)(const BytePanel& all, const ByteRow& row, const std::int32_t* products,
                                   std::size_t n_lanes, std::uint32_t* lanes);

    // out[p] = row . codes of pair p, all readable for n_bytes, a multiple of kByteBlock.
    void (*dots)(const BytePair* pairs, std::size_t n_pairs, std::size_t n_bytes, std::int32_t* out);

    // |a - b|^2, exactly.
    std::int64_t (*squared_distance)(const std::uint8_t* a, const std::uint8_t* b, std::size_t n);

    // codes = 128 + z rounded and clamped to 1 .. 255, z = inverse (values - offsets). n is a multiple of
    // kPanelWidth.
    Quantised (*quantise)(const std::int32_t* values, const std::int32_t* offsets, float inverse,
                          std::size_t n, std::uint8_t* codes);

    // codes = row + 128 of an int8 row.
    void (*flip)(const void* row, std::size_t n, std::uint8_t* codes);

    // As to_bytes, in float32 throughout (L8), of kFloat16 and kBfloat16.
    double (*halves_to_bytes[2])(const void* row, std::size_t n, const float* origin, float inverse,
                                 std::uint8_t* codes);

    // codes = inverse (row - origin) rounded, clamped to 0 .. 255; returns the sum of squared differences.
    double (*to_bytes[kDtypes])(const void* row, std::size_t n, const double* origin, double inverse,
                                std::uint8_t* codes);

    // Codes of center - mean and of their residual, and center - mean in float32.
    void (*encode)(const double* center, const std::uint8_t* mean, std::size_t n, std::int8_t* codes,
                   std::int8_t* residual_codes, float* offsets, EncodedCenter* out);

    // out = the sum of rows, each times its weight; n is a multiple of 32.
    void (*combine)(const double* rows, const double* weights, std::size_t n_rows, std::size_t n,
                    double* out);
};

// Centroids for integer rows of few features: see filters/int16_filter.hpp.
struct Int16Centers {
    std::size_t n_features;
    std::size_t n_clusters;
    const std::int32_t* coefficients;  // [centroid][pair of features], a pair's first in the low half
    const std::int32_t* constants;     // [centroid]
    const std::int32_t* origins;       // [pair]
    const std::int32_t* present;       // [pair]: 1 in the halves that are features
    std::int32_t label_mask;           // the bits of a score that are the centroid's index
    std::int32_t slack;
};

// The constant of an excluded centroid: above every score; differences from scores do not overflow (L7).
constexpr std::int32_t kUnusedInt16Constant = 1 << 30;

// Labels and lists of the int16 filter. Labels of decided rows are written where they change. Each list has a
// capacity of all rows and kInt16ListSpare more.
constexpr std::size_t kInt16ListSpare = 4;
struct Int16Labels {
    void* labels;              // updated in place
    bool bytes;                // of one byte each, else of four
    std::size_t first;         // the index of the first row
    MovedRow* moved;           // the rows whose label changed; null: they are only counted
    std::uint32_t* undecided;  // rows, counted from the first
    std::size_t n_moved;
    std::size_t n_undecided;
};

struct Int16Kernels {
    // The nearest centroids of rows by integer scores; null but for kUint8 and kUint16.
    void (*nearest[kIntegers])(const void* rows, std::size_t n_rows, const Int16Centers& centroids,
                               Int16Labels& labels);

    // Extends each feature's range to the rows' values.
    void (*range)(const std::uint16_t* rows, std::size_t n_rows, std::size_t n_features, std::uint16_t* low,
                  std::uint16_t* high);
};

// Rows of at most 24 bits. A row's key is its value, the first feature in the highest bits.
enum KeyKind : int { kOneByte = 0, kTwoBytes = 1, kThreeBytes = 2, kOneUint16 = 3 };
constexpr int kKeyKinds = 4;

// The keys present: bit key % 64 of bitmap[key / 64]. ranks[i] is the number of keys in the elements of
// bitmap before i.
struct KeySet {
    const std::uint64_t* bitmap;
    const std::uint32_t* ranks;
};

struct DistinctRowKernels {
    // Sets the rows' bits; returns how many were not set before. Safe for several threads at a time.
    std::size_t (*mark[kKeyKinds])(const void* rows, std::size_t n, std::uint64_t* bitmap);

    // Fills ranks; returns how many keys there are.
    std::uint32_t (*rank)(const std::uint64_t* bitmap, std::size_t n, std::uint32_t* ranks);

    // ++counts[rank of the row], for rows whose keys are all in the set.
    void (*count[kKeyKinds])(const void* rows, std::size_t n, const KeySet& set, std::uint32_t* counts);

    // out[i] = values[rank of row i], for rows whose keys are all in the set.
    void (*look_up[kKeyKinds])(const void* rows, std::size_t n, const KeySet& set, const std::int32_t* values,
                               std::int32_t* out);
};

// Gradients of images, two planes an image, in -kLargestGradient .. kLargestGradient: nine squared
// differences of two planes are at most 9 x 2 x 60^2 = 64800, so 16 bits hold them.
constexpr std::size_t kGradientPlanes = 2;
constexpr int kLargestGradient = 30;
constexpr std::size_t kDistortionBlock = 32;  // pixels that are read together, at most

// The layout of images for the distortion kernel: both gradients of a pixel side by side, with zeros around
// them as far as a shifted context reaches, and after them for reading whole blocks and pairs of rows.
struct DistortionShape {
    std::size_t height;
    std::size_t width;
    std::size_t warp;

    [[nodiscard]] std::size_t border() const { return warp + 1; }
    [[nodiscard]] std::size_t stride() const {
        return kGradientPlanes * (width + 2 * border() + kDistortionBlock);
    }
    [[nodiscard]] std::size_t padded_size() const { return (height + 2 * border() + 1) * stride(); }
    [[nodiscard]] std::size_t carried_size() const {
        return 2 * (2 * warp + 1) * (2 * warp + 1) * kDistortionBlock;
    }
};

// All nonzero gradients are in the rows from `first` to before `end`.
struct PaddedGradients {
    std::int8_t* data;
    std::size_t first;
    std::size_t end;
};

struct DistortionKernels {
    // Copies gradients [plane][row][column] into `padded`, whose borders are already zero.
    void (*pad)(const std::int8_t* gradients, const DistortionShape& shape, PaddedGradients* padded);

    // The sum over all pixels of the image of the least sum of squared differences between the 3 x 3
    // gradients around the pixel and those around a pixel of the reference at most `warp` away in each
    // direction. If the sum is above `limit`, the result may be any value between the two.
    std::uint64_t (*distortion)(const PaddedGradients& image, const PaddedGradients& reference,
                                const DistortionShape& shape, std::uint16_t* carried, std::uint64_t limit);
};

// A centroid near a row, with a lower bound of its own: the distance is at least `bound` less the centroid's
// drift since the start (L14).
struct Neighbour {
    std::int32_t centroid = -1;
    float bound = 0;
};
constexpr std::size_t kNeighbours = 2;

// Lower bounds of the distances of groups: `bounds` times `unit`, less the group's drift (L14).
struct GroupBounds {
    std::uint16_t* bounds;  // [row][group]
    const float* group_drift;
    float unit;
    std::size_t n_groups;  // at most 16
};

// The rows' upper bounds: upper + upper_slack.
struct UpperBounds {
    const std::int32_t* labels;
    const std::int32_t* labels_before;  // that the bounds are for; -1: none
    const float* upper;                 // when the row was measured
    float* upper_slack;                 // how far its centroid has moved since
};

// The slack of rows' coarse scores: constant + code_share codes[r] + pca_share pca_codes[r] (L11). Null:
// these are 0.
struct CoarseErrors {
    double constant;
    double code_share;
    double pca_share;
    const float* norms;
    const float* codes;
    const float* pca_codes;
};

// Kernels on bounds carried from step to step; see assign/row_bounds.hpp. Each is on n_rows rows.
struct BoundKernels {
    // upper_slack[r] += drift of the row's centroid, rounded up. now[r] = the upper bound times `more`, or -1
    // if it is not for the row's label.
    void (*follow)(const UpperBounds& bounds, const float* center_drift, float more, std::size_t n_rows,
                   float* now);

    // failed[r] = a bit for each group whose bound is not above uppers[r].
    void (*failed_groups)(const GroupBounds& groups, const float* uppers, std::size_t n_rows,
                          std::uint16_t* failed);

    // failed[r] = a bit for each of the row's kNeighbours whose bound, less the centroid's drift, is not
    // above uppers[r].
    void (*failed_neighbours)(const Neighbour* lists, const float* center_drift_totals, const float* uppers,
                              std::size_t n_rows, std::uint16_t* failed);

    // limits[r] = the coarse score of a centroid at distance uppers[r], from above. A centroid of coarse
    // score t has a squared distance of at least t + squares[r].
    void (*coarse_limits)(const CoarseErrors& errors, const float* uppers, std::size_t n_rows, float* limits,
                          float* squares);

    // below[r] = a bit for each lane l of a panel with scores[r * kPanelWidth + l] + squares[r] below the
    // square of its group's bound.
    void (*below)(const float* scores, const float* squares, const GroupBounds& groups,
                  const std::int32_t* group_of_lane, std::size_t n_rows, std::uint16_t* below);
};

// A node of a tree of boxes (seeding/box_tree.hpp) has kBoxFanOut entries in the lanes: boxes, or points if
// they are rows.
constexpr std::size_t kBoxFanOut = 16;

// Candidates in float32, each with a slack that is added to every reach.
struct BoxCandidates {
    const float* values;  // [candidate][feature]
    const float* slacks;
    std::uint32_t chosen;  // a bit for each candidate to be compared
};

struct BoxKernels {
    // Both: near[l] = a bit for each chosen candidate that may be within the distance reaches[l] + slack of
    // entry l; none if the reach is negative. The reaches cover all rounding (L23).
    void (*near_points)(const float* points, const float* reaches, std::size_t n_features,
                        const BoxCandidates& candidates, std::uint32_t* near);  // points[feature][lane]
    // boxes[feature][0: low, 1: high][lane]
    void (*near_boxes)(const float* boxes, const float* reaches, std::size_t n_features,
                       const BoxCandidates& candidates, std::uint32_t* near);
};

struct Kernels {
    const char* name;
    bool (*supported)();
    const Float32Kernels* float32;
    const LaneKernels* lanes;
    const ListedKernels* listed;
    const Int16Kernels* int16;  // null where there are none
    const DistinctRowKernels* distinct_rows;
    const ByteKernels* bytes;
    const BoundKernels* bounds;
    const BoxKernels* boxes;
    const ExactKernels* exact;
    const SumKernels* sums;
    const DistortionKernels* distortion;
};

}  // namespace kmosaic
