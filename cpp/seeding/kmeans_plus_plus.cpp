#include "seeding/kmeans_plus_plus.hpp"

#include <algorithm>

#include "seeding/filtered_pairs.hpp"
#include "seeding/sparse_pairs.hpp"
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
    : Seeder(rows, order, coded != nullptr) {
    if (coded)
        pairs_ = std::make_unique<FilteredPairs>(rows, *coded, nearest_);
    else
        pairs_ = std::make_unique<TiledPairs>(rows, nearest_);
}

Seeder::Seeder(const SparseRows& rows, const std::int64_t* order)
    : Seeder(Rows{nullptr, kFloat64, rows.n_rows, rows.n_features, rows.weights}, order, true) {
    pairs_ = std::make_unique<SparsePairs>(rows, nearest_);
}

std::unique_ptr<Seeder> Seeder::of_parts(const Rows& shape, const std::int64_t* order) {
    std::unique_ptr<Seeder> seeder(new Seeder(shape, order, true));
    auto pairs = std::make_unique<TiledPairs>(shape, seeder->nearest_);
    seeder->parts_ = pairs.get();
    seeder->pairs_ = std::move(pairs);
    return seeder;
}

Seeder::Seeder(const Rows& rows, const std::int64_t* order, bool keeps_pairs)
    : rows_(rows),
      order_(order),
      place_(rows.n_rows),
      masses_(rows.n_rows),
      mass_sums_(ceil_div(rows.n_rows, kMasses)),
      nearest_(rows.n_rows),
      blocks_(ceil_div(rows.n_rows, kBlock)),
      keeps_pairs_(keeps_pairs) {
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
    std::fill_n(blocks_[block].gains, n_candidates, 0.0);
    add_to_gains(block, pairs);
}

void Seeder::add_to_gains(std::size_t block, const std::vector<CloserPair>& pairs) {
    double* gains = blocks_[block].gains;
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
    if (tree_ || keeps_pairs_ || n_seeds_ < kSeedsBeforeTree || !BoxTree::possible(rows_)) return;
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
    return block_gains(candidates.size());
}

std::vector<double> Seeder::block_gains(std::size_t n_candidates) const {
    std::vector<double> gains(n_candidates, 0.0);
    for (const Block& block : blocks_)
        for (std::size_t c = 0; c < n_candidates; ++c) gains[c] += block.gains[c];
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

void Seeder::begin(std::vector<double> candidates, const Parallel& parallel) {
    n_candidates_ = candidates.size() / rows_.n_features;
    parts_->take_values(std::move(candidates), parallel);
    begun_ = true;
    for (Block& block : blocks_) {
        block.pairs.clear();
        block.complete = true;
        std::fill_n(block.gains, n_candidates_, 0.0);
    }
}

// Calls visit(block, its rows' offset, first, count) for the rows of a part that lie in each block.
template <class MakeWorker>
void Seeder::for_blocks_of(const Rows& part, std::size_t first, const Parallel& parallel,
                           MakeWorker make_worker) {
    parts_->set_rows(part, first);
    const std::size_t begin = first / kBlock, end = ceil_div(first + part.n_rows, kBlock);
    parallel_for(end - begin, parallel, [&] {
        return [&, worker = make_worker()](std::size_t task) mutable {
            const std::size_t from = std::max(first, (begin + task) * kBlock);
            const std::size_t to = std::min(first + part.n_rows, (begin + task + 1) * kBlock);
            worker(begin + task, from, to - from);
        };
    });
}

void Seeder::find(const Rows& part, std::size_t first, const Parallel& parallel) {
    const std::uint32_t all = (1U << n_candidates_) - 1;
    for_blocks_of(part, first, parallel, [&] {
        return [&, finder = pairs_->finder(), found = std::vector<CloserPair>()](
                   std::size_t b, std::size_t from, std::size_t count) mutable {
            found.clear();
            finder->find(from, count, all, found);
            for (CloserPair& pair : found) pair.row += static_cast<std::uint32_t>(from - b * kBlock);
            add_to_gains(b, found);
            Block& block = blocks_[b];
            const std::size_t n_rows = std::min(kBlock, rows_.n_rows - b * kBlock);
            block.complete &= block.pairs.size() + found.size() <= kMaxPairsPerRow * n_rows;
            if (block.complete)
                block.pairs.insert(block.pairs.end(), found.begin(), found.end());
            else
                block.pairs.clear();
        };
    });
}

std::size_t Seeder::best() const {
    const std::vector<double> gained = block_gains(n_candidates_);
    return static_cast<std::size_t>(std::max_element(gained.begin(), gained.end()) - gained.begin());
}

bool Seeder::complete() const {
    return std::all_of(blocks_.begin(), blocks_.end(), [](const Block& block) { return block.complete; });
}

void Seeder::lower(const Rows& part, std::size_t first, const Parallel& parallel) {
    const std::uint32_t chosen = 1U << best();
    for_blocks_of(part, first, parallel, [&] {
        return [&, finder = pairs_->finder(), found = std::vector<CloserPair>()](
                   std::size_t b, std::size_t from, std::size_t count) mutable {
            if (blocks_[b].complete) return;
            found.clear();
            finder->find(from, count, chosen, found);
            for (const CloserPair& pair : found) take_over(from + pair.row, pair.square);
        };
    });
}

void Seeder::accept(const Parallel& parallel) {
    const std::size_t chosen = best();
    begun_ = false;
    for (std::size_t b = 0; b < blocks_.size(); ++b)
        for (const CloserPair& pair : blocks_[b].pairs)
            if (pair.candidate == chosen) take_over(b * kBlock + pair.row, pair.square);
    sum_all_masses(parallel);
    pairs_->accept(chosen);
    ++n_seeds_;
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
