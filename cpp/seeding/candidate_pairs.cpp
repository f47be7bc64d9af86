#include "seeding/candidate_pairs.hpp"

#include "seeding/filtered_pairs.hpp"
#include "seeding/tiled_pairs.hpp"

namespace kmosaic {

std::unique_ptr<CandidatePairs> candidate_pairs(const Rows& rows, const CodedRows* coded,
                                                const NearestSeeds& nearest) {
    if (coded) return std::make_unique<FilteredPairs>(rows, *coded, nearest);
    return std::make_unique<TiledPairs>(rows, nearest);
}

}  // namespace kmosaic
