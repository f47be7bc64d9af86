#include "kmeans/candidate_pairs.hpp"

#include "kmeans/sifted_pairs.hpp"
#include "kmeans/tiled_pairs.hpp"

namespace kmosaic {

namespace {

// Shorter rows are read as quickly as sketches.
constexpr std::size_t kLeastFeatures = 33;

}  // namespace

bool have_codes(const Rows& rows, const BoundedAssigner* bounded) {
    return bounded && rows.n_features >= kLeastFeatures && SiftedPairs::possible(*bounded);
}

std::unique_ptr<CandidatePairs> candidate_pairs(const Rows& rows, const BoundedAssigner* bounded,
                                                const Nearest& nearest) {
    if (have_codes(rows, bounded)) return std::make_unique<SiftedPairs>(rows, *bounded, nearest);
    return std::make_unique<TiledPairs>(rows, nearest);
}

}  // namespace kmosaic
