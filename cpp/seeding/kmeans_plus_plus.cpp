#include "seeding/kmeans_plus_plus.hpp"

#include <algorithm>

#include "seeding/filtered_pairs.hpp"
#include "seeding/tiled_pairs.hpp"

namespace kmosaic {

namespace {

// The sizes of the blocks in which gains and masses are added: constants, since these sums round.
constexpr std::size_t kBlock = 504;
constexpr std::size_t kMasses = 32;
// A block keeps at most so many pairs for each of its rows; only for the first seeds there are more.
constexpr std::size_t kMaxPairsPerRow = 1;
// Up to so many changed masses only their blocks are summed again.
constexpr std::size_t kMaxFewChanged = 8192;
// A tree is built after so many seeds.
constexpr std::int32_t kSeedsBeforeTree = 64;

}  // namespace

Seeder::Seeder(const Rows& rows, const std::int64_t* order, const CodedRows* coded)
    : rows_(rows),
      order_(order),
      place_(rows.n_rows),
      masses_(rows.n_rows),
      mass_sums_(ceil_div(rows.n_rows, kMasses)),
      nearest_(rows.n_rows),
      blocks_(ceil_div(rows.n_rows, kBlock)),
      has_codes_(coded != nullptr) {
    if (coded)
        pairs_ = std::make_unique<FilteredPairs>(rows, *coded, nearest_);
    else
        pairs_ = std::make_unique<TiledPairs>(rows, nearest_);
    for (std::size_t p = 0; p < rows.n_rows; ++p) {
        const auto row = static_cast<std::size_t>(order[p]);
        place_[row] = p;
        masses_[p] = rows.weight(row);
    }
    for (std::size_t b = 0; b < mass_sums_.size(); ++b) sum_masses(b);
}

std::vector<std::size_t> Seeder::draw(const std::vector<double>& numbers) const {
    std::vector<double> cumulated(mass_sums_.size());
    double total = 0;
    for (std::size_t b = 0; b < mass_sums_.size(); ++b) cumulated[b] = total += mass_sums_[b];
    std::vector<std::size_t> drawn;
    if (!(total > 0)) return drawn;
    const auto last = std::lower_bound(cumulated.begin(), cumulated.end(), total);
    for (const double number : numbers) {
        const double target = number * total;
        const auto found = std::min(std::upper_bound(cumulated.begin(), last, target), last);
        const auto block = static_cast<std::size_t>(found - cumulated.begin());
        double sum = block > 0 ? cumulated[block - 1] : 0.0;
        std::size_t place = block * kMasses;
        // Rounding may move the target past the block's end: then its last row with mass is drawn.
        for (std::size_t p = block * kMasses; p < std::min((block + 1) * kMasses, masses_.size()); ++p) {
            if (!(masses_[p] > 0)) continue;
            place = p;
            sum += masses_[p];
            if (sum > target) break;
        }
        drawn.push_back(static_cast<std::size_t>(order_[place]));
    }
    return drawn;
}

void Seeder::find(const std::vector<std::size_t>& candidates, const Parallel& parallel) {
    pairs_->take(candidates, parallel);
    const std::uint32_t all = (1U << candidates.size()) - 1;
    parallel_blocks(rows_.n_rows, kBlock, parallel, [&] {
        return [&, finder = pairs_->finder(), found = std::vector<CloserPair>()](std::size_t first,
                                                                                 std::size_t count) mutable {
            found.clear();
            finder->find(first, count, all, found);
            add_gains(first / kBlock, candidates.size(), found);
            Block& block = blocks_[first / kBlock];
            block.complete = found.size() <= kMaxPairsPerRow * count;
            block.pairs.clear();
            if (block.complete) block.pairs.assign(found.begin(), found.end());
        };
    });
}

void Seeder::add_gains(std::size_t block, std::size_t n_candidates, const std::vector<CloserPair>& pairs) {
    double* gains = blocks_[block].gains;
    std::fill_n(gains, n_candidates, 0.0);
    for (const CloserPair& pair : pairs) {
        const std::size_t row = block * kBlock + pair.row;
        const double taken = n_seeds_ > 0 ? nearest_.squares[row] - pair.square : -pair.square;
        gains[pair.candidate] += rows_.weight(row) * taken;
    }
}

// The same bits as those of add_gains(): blocks without a pair add 0.
double Seeder::gain(const std::vector<NearerRow>& nearer) const {
    double gain = 0;
    for (std::size_t i = 0; i < nearer.size();) {
        double sum = 0;
        for (const std::size_t block = nearer[i].row / kBlock;
             i < nearer.size() && nearer[i].row / kBlock == block; ++i)
            sum += rows_.weight(nearer[i].row) * (nearest_.squares[nearer[i].row] - nearer[i].square);
        gain += sum;
    }
    return gain;
}

void Seeder::build_tree(const Parallel& parallel) {
    if (tree_ || has_codes_ || n_seeds_ < kSeedsBeforeTree || !BoxTree::possible(rows_)) return;
    tree_ = std::make_unique<BoxTree>(rows_, nearest_, parallel);
    pairs_.reset();
    blocks_ = {};
}

std::vector<double> Seeder::gains(const std::vector<std::size_t>& candidates, const Parallel& parallel) {
    build_tree(parallel);
    if (tree_) {
        tree_->find(candidates, nearer_, parallel);
        std::vector<double> gains;
        for (const std::vector<NearerRow>& nearer : nearer_) gains.push_back(gain(nearer));
        return gains;
    }
    find(candidates, parallel);
    std::vector<double> gains(candidates.size(), 0.0);
    for (const Block& block : blocks_)
        for (std::size_t c = 0; c < gains.size(); ++c) gains[c] += block.gains[c];
    return gains;
}

std::size_t Seeder::add_best(const std::vector<std::size_t>& candidates, const Parallel& parallel) {
    const std::vector<double> gained = gains(candidates, parallel);
    const auto best =
        static_cast<std::size_t>(std::max_element(gained.begin(), gained.end()) - gained.begin());
    if (tree_) {
        lower_nearer(best, parallel);
    } else {
        const std::size_t n_changed = lower(best, parallel);
        sum_changed_masses(best, n_changed, parallel);
        pairs_->accept(best);
    }
    ++n_seeds_;
    return candidates[best];
}

// The next seed becomes the row's nearest.
void Seeder::take_over(std::size_t row, double square) {
    nearest_.squares[row] = square;
    nearest_.seeds[row] = n_seeds_;
    masses_[place_[row]] = rows_.weight(row) * square;
}

void Seeder::lower_nearer(std::size_t candidate, const Parallel& parallel) {
    for (const NearerRow& nearer : nearer_[candidate]) {
        take_over(nearer.row, nearer.square);
        tree_->lower(nearer.row);
    }
    if (nearer_[candidate].size() > mass_sums_.size()) return sum_all_masses(parallel);
    for (const NearerRow& nearer : nearer_[candidate]) sum_masses(place_[nearer.row] / kMasses);
}

// Makes the candidate the nearest seed of its rows; returns how many there are.
std::size_t Seeder::lower(std::size_t candidate, const Parallel& parallel) {
    return count_in_blocks(rows_.n_rows, kBlock, parallel, [&] {
        return [&, finder = pairs_->finder()](std::size_t first, std::size_t count) {
            Block& block = blocks_[first / kBlock];
            if (!block.complete) finder->find(first, count, 1U << candidate, block.pairs);
            std::size_t changed = 0;
            for (const CloserPair& pair : block.pairs) {
                if (pair.candidate != candidate) continue;
                take_over(first + pair.row, pair.square);
                ++changed;
            }
            return changed;
        };
    });
}

void Seeder::sum_masses(std::size_t block) {
    double sum = 0;
    for (std::size_t p = block * kMasses; p < std::min((block + 1) * kMasses, masses_.size()); ++p)
        sum += masses_[p];
    mass_sums_[block] = sum;
}

void Seeder::sum_all_masses(const Parallel& parallel) {
    constexpr std::size_t kTask = 1024;
    parallel_blocks(mass_sums_.size(), kTask, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t b = first; b < first + count; ++b) sum_masses(b);
        };
    });
}

void Seeder::sum_changed_masses(std::size_t candidate, std::size_t n_changed, const Parallel& parallel) {
    if (n_changed > kMaxFewChanged || n_changed > mass_sums_.size()) return sum_all_masses(parallel);
    for (std::size_t b = 0; b < blocks_.size(); ++b)
        for (const CloserPair& pair : blocks_[b].pairs)
            if (pair.candidate == candidate) sum_masses(place_[b * kBlock + pair.row] / kMasses);
}

}  // namespace kmosaic
