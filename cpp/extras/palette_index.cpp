#include "extras/palette_index.hpp"

#include <algorithm>
#include <mutex>
#include <numeric>

namespace kmosaic {

namespace {

// Cells are grouped in cubes of 8 x 8 x 8, whose candidates are found first.
constexpr int kBlockBits = 3;
constexpr int kMinCellBits = 6;
constexpr std::size_t kCellsPerPoint = 128;
constexpr std::size_t kMinCells = 1024;
constexpr std::size_t kBlockPoints = 4096;

}  // namespace

void SpaceBox::include(const SpacePoint& point) {
    for (std::size_t f = 0; f < 4; ++f) {
        low[f] = std::min(low[f], point[f]);
        high[f] = std::max(high[f], point[f]);
    }
}

SpaceBox bounding_box(const SpacePoints& points, const Parallel& parallel) {
    SpaceBox box;
    std::mutex mutex;
    parallel_blocks(points.n_points, 16 * kBlockPoints, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            SpaceBox own;
            for (std::size_t i = first; i < first + count; ++i) own.include(points[i]);
            const std::lock_guard lock(mutex);
            box.include(own.low);
            box.include(own.high);
        };
    });
    return box;
}

PaletteIndex::PaletteIndex(const SpacePoints& palette, const SpaceBox& box, const Parallel& parallel)
    : n_features_(palette.n_features), box_(box) {
    for (std::size_t i = 0; i < palette.n_points; ++i) palette_.push_back(palette[i]);
    if (n_features_ == 4) return;
    choose_cells();
    list_candidates(parallel);
}

// The smallest cells of which there are not too many for the palette.
void PaletteIndex::choose_cells() {
    const std::size_t most = std::max(kMinCells, kCellsPerPoint * palette_.size());
    std::size_t total = 0;
    for (cell_bits_ = kMinCellBits;; ++cell_bits_) {
        for (std::size_t f = 0; f < 3; ++f)
            n_cells_[f] = (static_cast<std::size_t>(box_.high[f] - box_.low[f]) >> cell_bits_) + 1;
        total = n_cells_[0] * n_cells_[1] * n_cells_[2];
        if (total <= most) break;
    }
    cells_.resize(total);
}

// Leaves out the candidates that are farther, all over a cube of side 2^bits, than the one nearest to its
// centre c: |x - a|^2 - |x - b|^2 = |c - a|^2 - |c - b|^2 + 2 (x - c).(b - a), and no coordinate of x - c is
// above 2^(bits - 1).
void PaletteIndex::reduce(const Place& cell, int bits, std::vector<std::uint8_t>& candidates) const {
    SpacePoint centre{};
    for (std::size_t f = 0; f < 3; ++f)
        centre[f] = box_.low[f] + static_cast<std::int32_t>(cell[f] << bits) + (1 << (bits - 1));
    std::array<std::int32_t, kMaxPalette> squares{};
    std::size_t best = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        squares[i] = squared_distance(centre, palette_[candidates[i]]);
        if (squares[i] < squares[best]) best = i;
    }
    const SpacePoint nearest = palette_[candidates[best]];
    const std::int32_t least = squares[best];
    std::size_t kept = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        const SpacePoint& other = palette_[candidates[i]];
        std::int64_t reach = 0;
        for (std::size_t f = 0; f < 3; ++f) reach += std::abs(other[f] - nearest[f]);
        if (std::int64_t{squares[i]} - least <= reach << bits) candidates[kept++] = candidates[i];
    }
    candidates.resize(kept);
}

void PaletteIndex::list_candidates(const Parallel& parallel) {
    Place n_blocks{};
    for (std::size_t f = 0; f < 3; ++f) n_blocks[f] = ceil_div(n_cells_[f], std::size_t{1} << kBlockBits);
    std::vector<std::vector<std::uint8_t>> lists(n_blocks[0] * n_blocks[1] * n_blocks[2]);
    const auto place = [&](std::size_t b) {
        return Place{b / n_blocks[2] / n_blocks[1], b / n_blocks[2] % n_blocks[1], b % n_blocks[2]};
    };
    parallel_for(lists.size(), parallel,
                 [&] { return [&](std::size_t b) { list_within(place(b), lists[b]); }; });
    std::vector<std::uint32_t> starts(lists.size());
    for (std::size_t b = 0; b < lists.size(); ++b) {
        starts[b] = static_cast<std::uint32_t>(candidates_.size());
        candidates_.insert(candidates_.end(), lists[b].begin(), lists[b].end());
    }
    for (std::size_t c = 0; c < cells_.size(); ++c) {
        const Place at{c / n_cells_[2] / n_cells_[1], c / n_cells_[2] % n_cells_[1], c % n_cells_[2]};
        const std::size_t block =
            ((at[0] >> kBlockBits) * n_blocks[1] + (at[1] >> kBlockBits)) * n_blocks[2] +
            (at[2] >> kBlockBits);
        cells_[c].start += starts[block];
    }
}

// The candidates of the cells of one cube, one list after the other; cells start relative to `listed`.
void PaletteIndex::list_within(const Place& block, std::vector<std::uint8_t>& listed) {
    std::vector<std::uint8_t> common(palette_.size());
    std::iota(common.begin(), common.end(), std::uint8_t{0});
    reduce(block, cell_bits_ + kBlockBits, common);
    std::vector<std::uint8_t> candidates;
    Place from{};
    Place to{};
    for (std::size_t f = 0; f < 3; ++f) {
        from[f] = block[f] << kBlockBits;
        to[f] = std::min(from[f] + (std::size_t{1} << kBlockBits), n_cells_[f]);
    }
    for (std::size_t x = from[0]; x < to[0]; ++x)
        for (std::size_t y = from[1]; y < to[1]; ++y)
            for (std::size_t z = from[2]; z < to[2]; ++z) {
                candidates = common;
                reduce({x, y, z}, cell_bits_, candidates);
                cells_[(x * n_cells_[1] + y) * n_cells_[2] + z] = {
                    static_cast<std::uint32_t>(listed.size()), static_cast<std::uint16_t>(candidates.size()),
                    candidates.front()};
                listed.insert(listed.end(), candidates.begin(), candidates.end());
            }
}

std::size_t PaletteIndex::nearest_of_all(const SpacePoint& query) const {
    std::size_t best = 0;
    std::int32_t least = INT32_MAX;
    for (std::size_t i = 0; i < palette_.size(); ++i) {
        const std::int32_t square = squared_distance(query, palette_[i]);
        if (square < least) {
            least = square;
            best = i;
        }
    }
    return best;
}

void nearest_in_palette(const SpacePoints& points, const PaletteIndex& index, std::uint8_t* labels,
                        const Parallel& parallel) {
    parallel_blocks(points.n_points, kBlockPoints, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t i = first; i < first + count; ++i)
                labels[i] = static_cast<std::uint8_t>(index.nearest(points[i]));
        };
    });
}

}  // namespace kmosaic
