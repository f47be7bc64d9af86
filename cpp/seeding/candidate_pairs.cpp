#include "seeding/candidate_pairs.hpp"

#include "seeding/filtered_pairs.hpp"
#include "seeding/tiled_pairs.hpp"

namespace kmosaic {

namespace {

// Shorter rows are read as quickly as sketches.
constexpr std::size_t kMinFeatures = 33;

}  // namespace

bool have_codes(const Rows& rows, const BoundedAssigner* bounded) {
    return bounded && rows.n_features >= kMinFeatures && FilteredPairs::possible(*bounded);
}

std::unique_ptr<CandidatePairs> candidate_pairs(const Rows& rows, const BoundedAssigner* bounded,
                                                const NearestSeeds& nearest) {
    if (have_codes(rows, bounded)) return std::make_unique<FilteredPairs>(rows, *bounded, nearest);
    return std::make_unique<TiledPairs>(rows, nearest);
}

}  // namespace kmosaic
