// The interface of the kernels with rows in lanes: part of kernels.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/dtypes.hpp"

namespace kmosaic {

// Where the lanes are rows and the loop is over centroids: this many rows at a time, and centroids in groups that
// share the loads of a row's values.
constexpr std::size_t kLaneTile = 64;
constexpr std::size_t kLaneGroup = 4;
// Rows of at most so many features are read all at once; longer ones in chunks of features, whose scores are added.
constexpr std::size_t kMaxLowDimFeatures = 32;
constexpr std::size_t kLaneChunk = 128;

// How many floats scoring needs as working memory.
constexpr std::size_t lane_scratch(std::size_t n_features, std::size_t n_groups) {
    if (n_features <= kMaxLowDimFeatures) return 0;
    const std::size_t scores = n_features > kLaneChunk ? n_groups * kLaneGroup : 0;
    return kLaneTile * (2 * kLaneChunk + scores);
}

// Centroids for rows in lanes: see filters/lane_filter.hpp.
struct LaneCenters {
    std::size_t n_features;
    std::size_t n_groups;
    const double* origin;
    double scale;
    const float* coefficients;  // [group][feature][kLaneGroup]
    const float* norms;         // [group][kLaneGroup]
    float row_factor;
    float constant;
};

struct LaneKernels {
    // labels[i] = the nearest centroid of row i by float32 scores. Rows whose second least score is too near
    // the least are listed in `undecided` (capacity n_rows); returns how many. margins[i], unless null: every
    // other centroid, copies excepted, is at least margins[i] / scale farther from row i (L6); undefined for
    // undecided rows. `scratch`: lane_scratch floats.
    std::size_t (*nearest[kDtypes])(const void* rows, std::size_t n_rows, const LaneCenters& centroids,
                                    std::int32_t* labels, std::uint32_t* undecided, float* margins,
                                    float* scratch);

    // Lists (capacity n + 1) the indices at which the two differ; returns how many.
    std::size_t (*differences)(const std::int32_t* a, const std::int32_t* b, std::size_t n,
                               std::uint32_t* list);
};

// Centroids for rows in lanes that meet only some of them: see filters/listed_filter.hpp.
struct ListedCenters {
    LaneCenters lanes;   // its coefficients are null
    const float* rows;   // [centroid][feature], and one of zeros
    const float* norms;  // [centroid], and infinity
};

// Centroids by index, as many as a multiple of kListGroup.
constexpr std::size_t kListGroup = 8;
struct CenterList {
    const std::uint32_t* centroids;
    std::size_t n;
};

// A centroid, and the factors by which float32 is off in the distance of a row X to it (L25).
struct OwnCenter {
    const float* coefficients;  // -2 C
    float growth;               // of the computed distance
    float row_error;            // of |X|
    float error;
};

// Of the rows of a tile.
struct TileDistances {
    const float* distances;  // not below those to their own centroid
    const float* squares;    // |X|^2
    float radius;            // around that centroid, in which lie the centroids of the list
};

struct ListedKernels {
    // Reads up to kLaneTile of the rows, listed in `rows`, into lanes: [feature][kLaneTile] of at least four
    // features. `scratch`: kLaneTile * kLaneChunk floats and 4 more. What lies beyond `count` rows is undefined, here
    // and below.
    void (*read[kDtypes])(const void* data, const std::uint32_t* rows, std::size_t count,
                          const LaneCenters& centroids, float* scratch, float* lanes);

    // distances[i], not below |X - C|, and squares[i] = |X|^2; both may be infinite or NaN.
    void (*own_distances)(const float* lanes, std::size_t count, std::size_t n_features,
                          const OwnCenter& center, float* distances, float* squares);

    // labels[i] = the place in the list of the nearest of all centroids, or -1 where scores in float32 do not decide.
    // margins[i]: every other centroid, copies excepted, is at least so much farther from row i; undefined for
    // undecided rows. Labels, margins: kLaneTile. Returns whether all rows are decided.
    bool (*nearest)(const float* lanes, std::size_t count, const TileDistances& tile,
                    const ListedCenters& centroids, const CenterList& list, std::int32_t* labels,
                    float* margins);

    // Lists (capacity n + 16) the indices of scores, norms - 2 products, that are no more than the limit; returns how
    // many.
    std::size_t (*below)(const float* products, const float* norms, std::size_t n, float limit,
                         std::uint32_t* list);
};

}  // namespace kmosaic
