// The kernels' table: what every instruction set provides. Plain pointers and sizes; nothing allocates or
// throws.
//
// Two kinds of kernel live here. Screening kernels (screen.cpp) may round as they please, within the error
// that kmeans/screen.hpp proves a bound for: they only rule centroids out. Exact kernels (exact.cpp) do the
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

    // sums += row, exactly. Integer rows only.
    void (*add_integers[2])(const void* row, std::size_t n, std::int64_t* sums);

    // (high, low) += weight * (row - origin) in double-double. `row - origin` must be exact in float64.
    void (*add_reals[kDtypes])(const void* row, std::size_t n, double weight, const double* origin,
                               double* high, double* low);

    // The sum over features of x (x count - 2 s), x = centre - origin and s the cluster's sum, in
    // double-double: a cluster's part of J less the constant sum of squares. `magnitude` gets the sum of the
    // terms' sizes.
    void (*cluster_cost)(const double* centre, const double* origin, const double* high, const double* low,
                         const double count[2], std::size_t n, double cost[2], double* magnitude);

    // A hash of the row's values, the same for every dtype; -0 equals 0.
    std::uint64_t (*hash[kDtypes])(const void* row, std::size_t n);
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
    float limit;             // lanes whose least score is above are ruled out
    std::uint16_t left_out;  // a bit for each lane that takes no part
};

struct NearestLane {
    float score;
    std::int32_t lane;
};

// A centroid less the mean, w, in int8 codes q: w = step q + e.
struct EncodedCenter {
    double step;
    double square;        // |w|^2
    double error_square;  // |e|^2
    double mean_product;  // q . mean
};

// Kernels on rows of bytes; the bounds are in kmeans/centroid_codes.hpp.
struct ByteKernels {
    // Codes beyond +-largest_code would saturate.
    int largest_code;

    // products[r * n_panels * kPanelWidth + j] = rows[r] . codes of j over 4 n_quads features, exactly. Panels are
    // [panel][quad][lane][4]; each row must be readable to the end of its last quad.
    void (*products)(const std::uint8_t* const* rows, std::size_t n_rows, std::size_t n_quads,
                     const std::int8_t* panels, std::size_t n_panels, std::int32_t* products);

    // survivors[r]: a bit for each lane whose least score is not above the row's limit. least[r * groups + g]: the
    // least score of the group's other lanes.
    void (*sift)(const BytePanel& panel, const ByteRow* rows, std::size_t n_rows, std::uint16_t* survivors,
                 float* least);

    // nearest[r] = the panel's lane of least score, as first_lane + l, where that is less than nearest[r] has.
    void (*guess)(const BytePanel& panel, std::int32_t first_lane, const ByteRow* rows, std::size_t n_rows,
                  NearestLane* nearest);

    // out[c] = row . codes[c], all readable for n_bytes, a multiple of kByteBlock.
    void (*dots)(const std::uint8_t* row, const std::int8_t* const* codes, std::size_t n_codes, std::size_t n_bytes,
                 std::int32_t* out);

    // A bit for each of at most 16 groups whose bound, less what it has travelled, is not above `upper`.
    std::uint32_t (*open_groups)(const float* bounds, const float* travelled, std::size_t n_groups, float upper);

    // |a - b|^2, exactly.
    std::int64_t (*squared_distance)(const std::uint8_t* a, const std::uint8_t* b, std::size_t n);

    // Codes of center - mean, and center - mean in float32.
    void (*encode)(const double* center, const std::uint8_t* mean, std::size_t n, std::int8_t* codes, float* offsets,
                   EncodedCenter* out);
};

struct Kernels {
    const char* name;
    bool (*supported)();
    const ScreenKernels* screen;
    const ByteKernels* bytes;
    const ExactKernels* exact;
};

}  // namespace kmosaic
