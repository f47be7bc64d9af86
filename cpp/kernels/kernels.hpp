// The kernels' table: what every instruction set provides. Plain pointers and sizes; nothing allocates or
// throws.
//
// Two kinds of kernel live here. Screening kernels (screen.cpp) may round as they please, within the error
// that kmeans/screen.hpp proves a bound for: they only rule centroids out. Exact kernels (exact.cpp, sums.cpp) do the
// same IEEE operations in the same order on every instruction set, so their results are the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kmosaic {

// Centroids are laid out in panels: panel[feature][lane], one lane a centroid.
constexpr std::size_t kPanelWidth = 16;
constexpr std::size_t kExactPanelWidth = 8;

// Rows of bytes and codes are read in whole blocks of this many.
constexpr std::size_t kByteBlock = 64;

// Added and taken away, it rounds a number of float64 to a whole one.
constexpr double kRounder = 0x1.8p52;

// Features are summed in chunks of this many before chunks are added: 256 x 3 panels x 64 bytes stay in
// L1/L2, and the rounding error grows with the chunk, not with n_features.
constexpr std::size_t kFeatureChunk = 256;

enum Dtype : int { kUint8 = 0, kUint16 = 1, kFloat32 = 2, kFloat64 = 3 };
constexpr int kDtypes = 4;

struct ScreenKernels {
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
};

constexpr std::size_t kMostLimbs = 128;  // more than float64 has bits for

// How real rows are written in whole numbers, for exact sums; kmeans/sums.hpp has the proof. Limb l of a value is its
// multiple of grids[l] that is nearest to what the limbs before have left of it.
struct Limbs {
    const double* origin;  // one a feature: the value is x - origin, exact in float64
    const double* grids;   // powers of two
    std::size_t n_limbs;
};

// A row that went from one cluster to another; `from` is n_clusters where it was in none yet.
struct MovedRow {
    std::size_t row;
    std::uint32_t from;
    std::uint32_t to;
};

// Small tables of sums, [cluster][limb][feature], and of rows, [cluster].
struct SumTable {
    std::size_t n_clusters;
    std::size_t n_features;
    std::int64_t* sums;
    std::int64_t* counts;
};

// What a cluster's mean and cost are made of: its sums in double-double.
struct ClusterSums {
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

// Sums of rows. Everything in 64-bit integers is exact, so that its order cannot matter; the rest is in double-double, in
// an order that is the same on every instruction set.
struct SumKernels {
    // sums += each of the rows. n_rows times the largest value must fit 32 bits.
    void (*add_integer_rows[2])(const void* const* rows, std::size_t n_rows, std::size_t n_features,
                                std::uint32_t* sums);
    // [limb][feature] sums += each of the rows; float32 and float64.
    void (*add_real_rows[2])(const void* const* rows, std::size_t n_rows, std::size_t n_features,
                             const Limbs& limbs, std::int64_t* sums);
    // [limb][feature] sums += weight row: the products' two halves, limb by limb.
    void (*add_weighted[kDtypes])(const void* row, std::size_t n, double weight, const Limbs& limbs,
                                  std::int64_t* sums);
    // totals += sums, or -= where negative.
    void (*add_sums)(const std::uint32_t* sums, std::size_t n, bool negative, std::int64_t* totals);
    void (*add_totals)(const std::int64_t* sums, std::size_t n, bool negative, std::int64_t* totals);

    // sums += factor row.
    void (*add_integers[2])(const void* row, std::size_t n, std::int64_t factor, std::int64_t* sums);
    // Moves some of n_rows rows, each as often as counts says (null: once), from cluster to cluster of the table.
    void (*move_integers[2])(const void* rows, std::size_t n_rows, const std::uint32_t* counts,
                             const MovedRow* moved, std::size_t n_moved, const SumTable& table);
    void (*move_reals[2])(const void* rows, const Limbs& limbs, const MovedRow* moved, std::size_t n_moved,
                          const SumTable& table);

    // low and high = the least and the greatest of their own and the row's values.
    void (*widen_range[2])(const void* row, std::size_t n, double* low, double* high);
    // The least power of two that a last bit of a value x - origin is worth; infinity where all are 0.
    double (*least_bit[2])(const void* row, std::size_t n, const double* origin);

    // The sum of squares; n values of at most 2^16.
    std::uint64_t (*sum_of_squares[2])(const void* row, std::size_t n);
    // (high, low) += weight (row - origin)^2 in double-double. `row - origin` must be exact in float64.
    void (*add_squares[kDtypes])(const void* row, std::size_t n, double weight, const double* origin,
                                 double* high, double* low);

    // (high, low) = the sum over limbs of sums[limb][feature] grids[limb]; returns whether some low is not 0.
    bool (*values)(const std::int64_t* sums, std::size_t n, const double* grids, std::size_t n_limbs,
                   double* high, double* low);
    // centre = origin + sum / count, rounded from double-double.
    void (*mean)(const ClusterSums& sums, double* centre);
    // The sum over features of x (x count - 2 s), x = centre - origin and s the cluster's sum: a cluster's part of J less
    // the constant sum of squares. kCostLanes interleaved partial sums, added as a tree; its error is within
    // (8 n_features + 4 steps^2) 2^-106 magnitude, `steps` the terms a lane sums at a time, kCostSteps at most.
    ClusterCost (*cost)(const ClusterSums& sums, const double* centre);
};

// Sixteen centroids as integer dot products meet them: the score of lane l for a row is
// constants[l] - scales[l] * (row . codes of l), give or take row.norm * norm_errors[l] + row.rest * rest_errors[l].
struct BytePanel {
    const std::int8_t* codes;  // [quad][lane][4]
    std::size_t n_quads;
    const float* constants;
    const float* scales;
    const float* norm_errors;
    const float* rest_errors;
    unsigned group_lanes;  // 1, 2, 4, 8 or 16 neighbouring lanes share a bound
};

struct ByteRow {
    const std::uint8_t* codes;  // readable to the end of the last quad
    float norm;
    float rest;
    float limit;  // lanes whose least score is above are ruled out
};

// Rows that are sifted by one panel, or by several that lie one after the other and share a bound.
struct Sifting {
    const ByteRow* rows;
    std::size_t n_rows;
    std::size_t n_panels;
    const std::uint16_t* left_out;  // [panel][row]: a bit for each lane that takes no part
    std::uint16_t*
        survivors;  // [panel][row]: a bit for each lane whose least score is not above the row's limit
    float* least;   // [row][group]: the least score of the group's other lanes
};

struct BytePair {
    const std::uint8_t* row;
    const std::int8_t* codes;
};

// A centroid less the mean, w, in int8 codes q, and what they leave in codes r: w = step q + e, e = rest_step r + f.
struct EncodedCenter {
    double step;
    double square;        // |w|^2
    double error_square;  // |e|^2
    double mean_product;  // q . mean
    double rest_step;
    double rest_error_square;  // |f|^2
    double rest_mean_product;  // r . mean
};

// Values z in bytes: sums over |value|^2 and over (what rounding and the range of a byte changed z by)^2, in float32.
struct Quantised {
    float square;
    float error_square;
};

// Kernels on rows of bytes; the bounds are in kmeans/centroid_codes.hpp.
struct ByteKernels {
    // Codes beyond +-largest_code would saturate.
    int largest_code;

    // products[r * n_panels * kPanelWidth + j] = rows[r] . codes of j over 4 n_quads features, exactly. Panels are
    // [panel][quad][lane][4]; each row must be readable to the end of its last quad.
    void (*products)(const std::uint8_t* const* rows, std::size_t n_rows, std::size_t n_quads,
                     const std::int8_t* panels, std::size_t n_panels, std::int32_t* products);

    void (*sift)(const BytePanel& first, const Sifting& sifting);

    // nearest[r] = a lane of least score (which of equals is left open), of n_panels panels that lie one after the other.
    void (*guess)(const BytePanel& first, std::size_t n_panels, const std::uint8_t* const* rows,
                  std::size_t n_rows, std::int32_t* nearest);

    // Lists, ascending, the lanes whose least score is not more than row.limit above the lowest of all greatest scores;
    // returns how many. n_lanes is a multiple of kPanelWidth, and `all` has the numbers of all of them.
    std::size_t (*contenders)(const BytePanel& all, const ByteRow& row, const std::int32_t* products,
                              std::size_t n_lanes, std::uint32_t* lanes);

    // out[p] = row . codes of pair p, all readable for n_bytes, a multiple of kByteBlock.
    void (*dots)(const BytePair* pairs, std::size_t n_pairs, std::size_t n_bytes, std::int32_t* out);

    // |a - b|^2, exactly.
    std::int64_t (*squared_distance)(const std::uint8_t* a, const std::uint8_t* b, std::size_t n);

    // codes = 128 + z rounded and kept within 1 .. 255, z = inverse (values - offsets). n is a multiple of kPanelWidth.
    Quantised (*quantise)(const std::int32_t* values, const std::int32_t* offsets, float inverse,
                          std::size_t n, std::uint8_t* codes);

    // codes = inverse (row - origin) rounded and kept within 0 .. 255; returns the sum of squares of what that changed.
    double (*to_bytes[kDtypes])(const void* row, std::size_t n, const double* origin, double inverse,
                                std::uint8_t* codes);

    // Codes of center - mean and of what they leave, and center - mean in float32.
    void (*encode)(const double* center, const std::uint8_t* mean, std::size_t n, std::int8_t* codes,
                   std::int8_t* rest_codes, float* offsets, EncodedCenter* out);

    // out = the sum of rows, each times its weight; n is a multiple of 32.
    void (*combine)(const double* rows, const double* weights, std::size_t n_rows, std::size_t n,
                    double* out);
};

// Rows of few features are screened with rows in the lanes and a loop over centroids: this many rows at a time, and
// centroids in groups that share the loads of a row's values.
constexpr std::size_t kNarrowTile = 64;
constexpr std::size_t kNarrowGroup = 4;
constexpr std::size_t kMostNarrowFeatures = 32;

// Centroids for narrow rows; the meaning of each number is in kmeans/narrow_screen.hpp.
struct NarrowCentroids {
    std::size_t n_features;
    std::size_t n_groups;
    const double* origin;
    double scale;
    const float* coefficients;  // [group][feature][kNarrowGroup]
    const float* norms;         // [group][kNarrowGroup]
    float row_factor;
    float constant;
};

struct NarrowKernels {
    // labels[i] is the nearest centroid of row i by float32 scores. Rows whose second best score is too near the best
    // for that to be certain are listed in `undecided` (room for n_rows); returns how many. margins[i], unless null: every
    // centroid but row i's, copies aside, is at least that much farther from it, times `scale`; undecided rows' mean
    // nothing.
    std::size_t (*nearest[kDtypes])(const void* rows, std::size_t n_rows, const NarrowCentroids& centroids,
                                    std::int32_t* labels, std::uint32_t* undecided, float* margins);

    // Lists (room for n + 1) where the two differ; returns how many places that are.
    std::size_t (*differences)(const std::int32_t* a, const std::int32_t* b, std::size_t n,
                               std::uint32_t* list);
};

// Centroids for narrow rows of integers; the meaning of each number is in kmeans/word_screen.hpp.
struct WordCentroids {
    std::size_t n_features;
    std::size_t n_clusters;
    const std::int32_t* coefficients;  // [centroid][pair of features], a pair's first in the low half
    const std::int32_t* constants;     // [centroid]
    const std::int32_t* origins;       // [pair]
    const std::int32_t* present;       // [pair]: 1 in the halves that are features
    std::int32_t label_mask;           // the bits of a score that are the centroid's number
    std::int32_t slack;
};

// The constant of a centroid that never wins: above every score, and no difference of the two overflows.
constexpr std::int32_t kUnusedWordConstant = 1 << 30;

// Labels by words: those of decided rows are written where they are not those before. Each list has room for all rows
// and kWordListSpare more.
constexpr std::size_t kWordListSpare = 4;
struct WordLabels {
    void* labels;              // those before, and after
    bool bytes;                // of one byte each, or of four
    std::size_t first;         // the number of the first row
    MovedRow* moved;           // the rows whose label was written, by number; null: they are only counted
    std::uint32_t* undecided;  // counted from the first
    std::size_t n_moved;
    std::size_t n_undecided;
};

struct WordKernels {
    // The nearest centroids of rows by integer scores, for kUint8 and kUint16.
    void (*nearest[2])(const void* rows, std::size_t n_rows, const WordCentroids& centroids,
                       WordLabels& labels);

    // Widen each feature's range to hold the rows' values.
    void (*range)(const std::uint16_t* rows, std::size_t n_rows, std::size_t n_features, std::uint16_t* low,
                  std::uint16_t* high);
};

// Rows of at most 24 bits. A colour's key is its value, the first feature highest.
enum ColourKind : int { kOneByte = 0, kTwoBytes = 1, kThreeBytes = 2, kOneWord = 3 };
constexpr int kColourKinds = 4;

// The keys present: bit key % 64 of bitmap[key / 64], and in ranks[w] how many there are in the words before w.
struct ColourSet {
    const std::uint64_t* bitmap;
    const std::uint32_t* ranks;
};

struct ColourKernels {
    // Set the rows' bits, and return how many were not set before. Any number of threads may, at the same time.
    std::size_t (*mark[kColourKinds])(const void* rows, std::size_t n, std::uint64_t* bitmap);

    // Fills ranks; returns how many keys there are.
    std::uint32_t (*rank_words)(const std::uint64_t* bitmap, std::size_t n_words, std::uint32_t* ranks);

    // ++counts[rank of the row], for rows whose colours are all in the set.
    void (*count[kColourKinds])(const void* rows, std::size_t n, const ColourSet& set, std::uint32_t* counts);

    // out[i] = values[rank of row i], for rows whose colours are all in the set.
    void (*look_up[kColourKinds])(const void* rows, std::size_t n, const ColourSet& set,
                                  const std::int32_t* values, std::int32_t* out);
};

// Gradients of images, two planes an image, in -kLargestGradient .. kLargestGradient: nine squared differences of two
// planes are at most 9 x 2 x 60^2 = 64800, so 16 bits hold them.
constexpr std::size_t kGradientPlanes = 2;
constexpr int kLargestGradient = 30;
constexpr std::size_t kDistortionBlock = 32;  // pixels that are read together, at most

// How images lie for the distortion kernel: both gradients of a pixel side by side, zeros around them, as far as a
// shifted context reaches, and behind them for reading whole blocks and pairs of rows.
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

// Its gradients lie in the rows from `first` to before `end`.
struct PaddedGradients {
    std::int8_t* data;
    std::size_t first;
    std::size_t end;
};

struct DistortionKernels {
    // Gradients [plane][row][column] into `padded`, whose borders are zero already.
    void (*pad)(const std::int8_t* gradients, const DistortionShape& shape, PaddedGradients* padded);

    // Over all pixels of the image, the least sum of squared differences between the 3 x 3 gradients around it and
    // those around a pixel of the reference at most `warp` away in each direction. Where that is more than `limit`,
    // anything from there to what it is.
    std::uint64_t (*distortion)(const PaddedGradients& image, const PaddedGradients& reference,
                                const DistortionShape& shape, std::uint16_t* carried, std::uint64_t limit);
};

// A centroid near a row, with a lower bound of its own: of the distance, as it would be had the centroid not moved since the start.
struct Neighbour {
    std::int32_t centroid = -1;
    float bound = 0;
};
constexpr std::size_t kNeighbours = 2;

// Lower bounds of groups' distances: `bounds` times `unit`, less how far the group has travelled.
struct GroupBounds {
    std::uint16_t* bounds;  // [row][group]
    const float* travelled;
    float unit;
    std::size_t n_groups;  // 16 at most
};

// What a row's upper bound is made of.
struct UpperBounds {
    const std::int32_t* labels;
    const std::int32_t* labels_before;  // those that the bounds are of; -1: none
    const float* upper;                 // when it was measured, and
    float* drifted;                     // how far its centroid has moved since
};

// What rows' coarse scores are uncertain by: `constant` and so many times a row's errors. Null: none have any.
struct CoarseErrors {
    double constant;
    double code_share;
    double sketch_share;
    const float* norms;
    const float* codes;
    const float* sketches;
};

// Kernels on bounds carried from step to step; see kmeans/row_bounds.hpp. Each is on n_rows rows.
struct BoundKernels {
    // Adds what each row's centroid has moved to `drifted`, never too little. now[r] = the upper bound times `more`, -1 where
    // it is not of the row's label.
    void (*follow)(const UpperBounds& bounds, const float* moved, float more, std::size_t n_rows, float* now);

    // open[r] = a bit for each group whose bound is not above uppers[r].
    void (*open_groups)(const GroupBounds& groups, const float* uppers, std::size_t n_rows,
                        std::uint16_t* open);

    // open[r] = a bit for each of a row's kNeighbours whose bound, less the way it has come, is not above uppers[r].
    void (*open_neighbours)(const Neighbour* lists, const float* ways, const float* uppers,
                            std::size_t n_rows, std::uint16_t* open);

    // limits[r] = the coarse score, from above, of a centroid uppers[r] away; squares[r]: from below, what such a score needs to
    // be a squared distance.
    void (*coarse_limits)(const CoarseErrors& errors, const float* uppers, std::size_t n_rows, float* limits,
                          float* squares);

    // below[r] = a bit for each lane of a panel whose score, scores[r * kPanelWidth + l], and squares[r] make a square that is not
    // above that of its group's bound.
    void (*below)(const float* scores, const float* squares, const GroupBounds& groups,
                  const std::int32_t* group_of_lane, std::size_t n_rows, std::uint16_t* below);
};

// A node of a tree of boxes (kmeans/box_tree.hpp): kBoxFanOut boxes in the lanes, or points where a box is one row.
constexpr std::size_t kBoxFanOut = 16;

// Candidates in float32, each with what is added to every reach for it.
struct BoxCandidates {
    const float* values;  // [candidate][feature]
    const float* slacks;
    std::uint32_t chosen;  // a bit for each that is looked for
};

struct BoxKernels {
    // Both: near[l] = a bit for each chosen candidate that may be within reach of entry l, reaches[l] + slack; no entry of
    // negative reach is near. What rounds is covered by the reaches.
    void (*near_points)(const float* points, const float* reaches, std::size_t n_features,
                        const BoxCandidates& candidates, std::uint32_t* near);  // points[feature][lane]
    // boxes[feature][0: low, 1: high][lane]
    void (*near_boxes)(const float* boxes, const float* reaches, std::size_t n_features,
                       const BoxCandidates& candidates, std::uint32_t* near);
};

struct Kernels {
    const char* name;
    bool (*supported)();
    const ScreenKernels* screen;
    const NarrowKernels* narrow;
    const WordKernels* words;  // null where there are none
    const ColourKernels* colours;
    const ByteKernels* bytes;
    const BoundKernels* bounds;
    const BoxKernels* boxes;
    const ExactKernels* exact;
    const SumKernels* sums;
    const DistortionKernels* distortion;
};

}  // namespace kmosaic
