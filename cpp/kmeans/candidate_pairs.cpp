#include "kmeans/candidate_pairs.hpp"

#include "kmeans/sifted_pairs.hpp"
#include "kmeans/tiled_pairs.hpp"

namespace kmosaic {

namespace {

// Shorter rows are read as quickly as sketches.
constexpr std::size_t kLeastFeatures = 33;

}  // namespace

std::unique_ptr<CandidatePairs> candidate_pairs(const Rows& rows, const BoundedAssigner* bounded,
                                                const Nearest& nearest) {
    if (bounded && rows.n_features >= kLeastFeatures && SiftedPairs::possible(*bounded))
        return std::make_unique<SiftedPairs>(rows, *bounded, nearest);
    return std::make_unique<TiledPairs>(rows, nearest);
}

}  // namespace kmosaic
