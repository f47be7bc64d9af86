#include "seeding/box_tree.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "core/numerics.hpp"
#include "kernels/dispatch.hpp"
#include "seeding/kd_order.hpp"

namespace kmosaic {

namespace {

// Scaled coordinates are below 2^41.
constexpr int kMaxExponent = 40;
constexpr int kMaxScaleExponent = 1000;
// The parts of L23 that cover rounding and underflow.
constexpr double kErrorShare = 2 * kU32;
constexpr double kMinError = 0x1p-100;
constexpr double kUnderflowDistance = 0x1p-520;
constexpr double kMinReach = 0x1p-40;
// The reach of a row that no candidate can be nearer to.
constexpr float kNoReach = -0x1p60F;

constexpr std::size_t kOriginRows = 1024;
constexpr std::size_t kBlock = 512;
// Nodes of level 1 in a task: fewer are not worth waking a thread.
constexpr std::size_t kTask = 16;

// A float32 that is not below a positive value (L2).
float rounded_up(double x) {
    return static_cast<float>(x * (1 + 0x1p-23));
}

}  // namespace

// The candidates of one search.
struct BoxTree::Search {
    [[nodiscard]] BoxCandidates candidates(std::uint32_t chosen) const {
        return {values.data(), slacks.data(), chosen};
    }

    std::vector<float> values;  // [candidate][feature], in units of the tree
    std::vector<float> slacks;
    std::vector<double> wide;  // in float64, as they are
};

// A level of nodes without boxes; each entry has so many values.
BoxTree::Level BoxTree::empty_level(std::size_t n_entries, std::size_t n_values) {
    Level level{ceil_div(n_entries, kBoxFanOut), {}, {}};
    level.entries.resize(level.n_nodes * n_values * kBoxFanOut);
    level.reaches.assign(level.n_nodes * kBoxFanOut, kNoReach);
    return level;
}

bool BoxTree::possible(const Rows& rows) {
    return rows.n_features <= kMaxTreeFeatures && rows.n_rows < std::numeric_limits<std::uint32_t>::max();
}

BoxTree::BoxTree(const Rows& rows, const NearestSeeds& nearest, const Parallel& parallel)
    : rows_(rows),
      table_(kernels()),
      nearest_(nearest),
      margin_((1 + 0x1p-20) / std::sqrt(1 - static_cast<double>(rows.n_features + 4) * kU32)) {
    place_origin();
    place_rows(parallel);
    do add_level(parallel);
    while (levels_.back().n_nodes > 1);
}

// The origin is the mean of some of the rows, and the scale follows from the value farthest from it.
void BoxTree::place_origin() {
    const std::size_t d = rows_.n_features;
    const auto widen = table_.exact->widen[rows_.dtype];
    std::vector<double> wide(d);
    origin_.assign(d, 0.0);
    const std::size_t n = std::min(rows_.n_rows, kOriginRows);
    for (std::size_t i = 0; i < n; ++i) {
        widen(rows_.row(i * (rows_.n_rows / n)), d, wide.data());
        for (std::size_t f = 0; f < d; ++f) origin_[f] += wide[f] / static_cast<double>(n);
    }
    double largest = 0;
    for (std::size_t i = 0; i < rows_.n_rows; ++i) {
        widen(rows_.row(i), d, wide.data());
        for (std::size_t f = 0; f < d; ++f) largest = std::max(largest, std::fabs(wide[f] - origin_[f]));
    }
    if (largest > 0) scale_ = std::ldexp(1, std::min(kMaxExponent - std::ilogb(largest), kMaxScaleExponent));
}

// Writes a row in units of the tree; returns e_x.
float BoxTree::convert(const double* row, float* out) const {
    double square = 0;
    for (std::size_t f = 0; f < rows_.n_features; ++f) {
        out[f] = static_cast<float>((row[f] - origin_[f]) * scale_);
        square += static_cast<double>(out[f]) * static_cast<double>(out[f]);
    }
    return rounded_up(kErrorShare * std::sqrt(square) + kMinError);
}

float BoxTree::reach(std::size_t position) const {
    const double nearest = nearest_.squares[row_at_[position]];
    if (!(nearest > 0)) return kNoReach;
    const double distance = scale_ * (std::sqrt(nearest) * kUp64 + kUnderflowDistance);
    return rounded_up((distance + static_cast<double>(errors_[position]) + kMinReach) * margin_);
}

void BoxTree::place_rows(const Parallel& parallel) {
    const std::size_t d = rows_.n_features;
    const std::size_t n = rows_.n_rows;
    std::vector<float> values(n * d);
    std::vector<float> errors(n);
    parallel_blocks(n, kBlock, parallel, [&] {
        return [&, wide = std::vector<double>(d)](std::size_t first, std::size_t count) mutable {
            for (std::size_t i = first; i < first + count; ++i) {
                table_.exact->widen[rows_.dtype](rows_.row(i), d, wide.data());
                errors[i] = convert(wide.data(), values.data() + i * d);
            }
        };
    });
    row_at_ = kd_order(values.data(), n, d, parallel);
    position_.resize(n);
    errors_.resize(n);
    levels_.push_back(empty_level(n, d));
    parallel_blocks(levels_[0].n_nodes, kBlock, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t p = first * kBoxFanOut; p < (first + count) * kBoxFanOut; ++p) {
                const std::size_t row = row_at_[std::min(p, n - 1)];  // spare lanes repeat the last row
                float* node = levels_[0].entries.data() + p / kBoxFanOut * d * kBoxFanOut + p % kBoxFanOut;
                for (std::size_t f = 0; f < d; ++f) node[f * kBoxFanOut] = values[row * d + f];
                if (p >= n) continue;
                position_[row] = static_cast<std::uint32_t>(p);
                errors_[p] = errors[row];
                levels_[0].reaches[p] = reach(p);
            }
        };
    });
}

void BoxTree::add_level(const Parallel& parallel) {
    Level level = empty_level(levels_.back().n_nodes, 2 * rows_.n_features);
    parallel_blocks(level.n_nodes, kTask, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            for (std::size_t i = first; i < first + count; ++i) bound(level, i);
        };
    });
    levels_.push_back(std::move(level));
}

// Fills a node with the boxes of its entries, which are nodes of the last level.
void BoxTree::bound(Level& level, std::size_t node) const {
    const std::size_t d = rows_.n_features;
    const Level& below = levels_.back();
    const std::size_t boxes = levels_.size() > 1 ? 2 : 1;
    float* out = level.entries.data() + node * d * 2 * kBoxFanOut;
    for (std::size_t l = 0; l < kBoxFanOut; ++l) {
        const std::size_t entry = std::min(node * kBoxFanOut + l, below.n_nodes - 1);
        const float* in = below.entries.data() + entry * d * boxes * kBoxFanOut;
        for (std::size_t f = 0; f < d; ++f) {
            const float* low = in + f * boxes * kBoxFanOut;
            const float* high = low + (boxes - 1) * kBoxFanOut;
            out[f * 2 * kBoxFanOut + l] = *std::min_element(low, low + kBoxFanOut);
            out[(f * 2 + 1) * kBoxFanOut + l] = *std::max_element(high, high + kBoxFanOut);
        }
        if (node * kBoxFanOut + l >= below.n_nodes) continue;
        const float* reaches = below.reaches.data() + entry * kBoxFanOut;
        level.reaches[node * kBoxFanOut + l] = *std::max_element(reaches, reaches + kBoxFanOut);
    }
}

void BoxTree::lower(std::size_t row) {
    std::size_t entry = position_[row];
    float least = reach(entry);
    for (Level& level : levels_) {
        if (level.reaches[entry] == least) return;
        level.reaches[entry] = least;
        entry /= kBoxFanOut;
        const float* reaches = level.reaches.data() + entry * kBoxFanOut;
        least = *std::max_element(reaches, reaches + kBoxFanOut);
    }
}

BoxTree::Search BoxTree::start(const std::vector<std::size_t>& candidates) const {
    const std::size_t d = rows_.n_features;
    const std::size_t n = candidates.size();
    Search search{std::vector<float>(n * d), std::vector<float>(n), widened(rows_, candidates, table_)};
    for (std::size_t c = 0; c < n; ++c) {
        const float error = convert(search.wide.data() + c * d, search.values.data() + c * d);
        search.slacks[c] = rounded_up(static_cast<double>(error) * margin_);
    }
    return search;
}

// Appends the entries of the visited node that its candidates may be within reach of.
void BoxTree::children(const Search& search, std::size_t level, const Visit& visit,
                       std::vector<Visit>& out) const {
    const std::size_t d = rows_.n_features;
    const auto near_entries = level > 0 ? table_.boxes->near_boxes : table_.boxes->near_points;
    std::uint32_t near[kBoxFanOut];
    near_entries(levels_[level].entries.data() + visit.node * (level > 0 ? 2 : 1) * d * kBoxFanOut,
                 levels_[level].reaches.data() + visit.node * kBoxFanOut, d,
                 search.candidates(visit.candidates), near);
    for (std::uint32_t l = 0; l < kBoxFanOut; ++l)
        if (near[l]) out.push_back({visit.node * static_cast<std::uint32_t>(kBoxFanOut) + l, near[l]});
}

void BoxTree::descend(const Search& search, std::size_t n_candidates) {
    visits_.assign(1, {0, (1U << n_candidates) - 1});
    for (std::size_t level = levels_.size() - 1; level > 1; --level) {
        next_.clear();
        for (const Visit& visit : visits_) children(search, level, visit, next_);
        visits_.swap(next_);
    }
}

void BoxTree::find(const std::vector<std::size_t>& candidates, std::vector<std::vector<NearerRow>>& nearer,
                   const Parallel& parallel) {
    const std::size_t d = rows_.n_features;
    const Search search = start(candidates);
    descend(search, candidates.size());
    const std::size_t n_tasks = ceil_div(visits_.size(), kTask);
    if (found_.size() < n_tasks) found_.resize(n_tasks);
    parallel_blocks(visits_.size(), kTask, parallel, [&] {
        return [&, wide = std::vector<double>(d), nodes = std::vector<Visit>(),
                entries = std::vector<Visit>()](std::size_t first, std::size_t count) mutable {
            Found& found = found_[first / kTask];
            found.pairs.clear();
            found.n_measured = 0;
            nodes.clear();
            entries.clear();
            for (std::size_t v = first; v < first + count; ++v) children(search, 1, visits_[v], nodes);
            for (const Visit& node : nodes) children(search, 0, node, entries);
            for (const Visit& entry : entries) {
                const std::uint32_t row = row_at_[entry.node];
                table_.exact->widen[rows_.dtype](rows_.row(row), d, wide.data());
                found.n_measured += static_cast<std::size_t>(std::popcount(entry.candidates));
                measure_pairs(table_, wide.data(), search.wide, d,
                              {row, entry.candidates, nearest_.squares[row]}, found.pairs);
            }
        };
    });
    nearer.resize(candidates.size());
    for (std::vector<NearerRow>& rows : nearer) rows.clear();
    n_measured_ = 0;
    for (std::size_t task = 0; task < n_tasks; ++task) {
        n_measured_ += found_[task].n_measured;
        for (const CloserPair& pair : found_[task].pairs)
            nearer[pair.candidate].push_back({pair.row, pair.square});
    }
    for (std::vector<NearerRow>& rows : nearer)
        std::sort(rows.begin(), rows.end(),
                  [](const NearerRow& a, const NearerRow& b) { return a.row < b.row; });
}

}  // namespace kmosaic
