#include "assign/near_centers_assigner.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "core/numerics.hpp"
#include "exact/exact_nearest.hpp"
#include "filters/near_centers.hpp"
#include "kernels/dispatch.hpp"
#ifdef KMOSAIC_CHECK_BOUNDS
#include "assign/check_bounds.hpp"
#endif

namespace kmosaic {

namespace {

// Rows that are grouped together, and those a thread looks through at a time.
constexpr std::size_t kRowsTogether = std::size_t{1} << 20;
constexpr std::size_t kScannedRows = 2048;
constexpr std::size_t kScannedBlocks = 16;  // at a time: a task's lists
// Rows of a task; a larger cluster is shared.
constexpr std::size_t kTaskRows = 2048;
// Rows of a cluster are put into so many classes by distance.
constexpr std::size_t kDistanceClasses = 32;

// A row to be assigned anew, counted from the first that is grouped.
struct ActiveRow {
    std::uint32_t row;
    std::uint32_t distance;  // to sort by
};

// Rows of one cluster, in the order of clusters.
struct Segment {
    std::size_t cluster;
    std::span<ActiveRow> rows;
};

// Rows of up to kRowsTogether by cluster; those without one come last.
class RowsByCluster {
  public:
    explicit RowsByCluster(std::size_t n_clusters) : n_clusters_(n_clusters) {}

    void group(std::size_t first, std::size_t count, const LabelArray& labels, const LaneBounds& bounds,
               const std::uint16_t* distances, const Parallel& parallel) {
        constexpr std::size_t kChunk = kScannedRows * kScannedBlocks;
        const std::size_t n_chunks = ceil_div(count, kChunk);
        const std::size_t n_groups = n_clusters_ + 1;
        listed_.resize(n_chunks);
        places_.assign(n_chunks * n_groups, 0);
        parallel_blocks(count, kChunk, parallel, [&] {
            return [&](std::size_t start, std::size_t n) {
                const std::size_t chunk = start / kChunk;
                list(first, start, n, labels, bounds, distances, chunk);
            };
        });
        std::size_t total = 0;
        ends_.resize(n_groups);
        for (std::size_t j = 0; j < n_groups; ++j) {
            for (std::size_t chunk = 0; chunk < n_chunks; ++chunk) {
                std::uint32_t& place = places_[chunk * n_groups + j];
                total += place;
                place = static_cast<std::uint32_t>(total) - place;
            }
            ends_[j] = total;
        }
        grouped_.resize(total);
        parallel_for(n_chunks, parallel, [&] {
            return [&](std::size_t chunk) {
                std::uint32_t* place = places_.data() + chunk * n_groups;
                for (const Listed& each : listed_[chunk]) grouped_[place[each.group]++] = each.active;
            };
        });
    }

    // The rows of a group, of which the last has no cluster.
    std::span<ActiveRow> of(std::size_t group) {
        const std::size_t begin = group ? ends_[group - 1] : 0;
        return std::span(grouped_).subspan(begin, ends_[group] - begin);
    }

  private:
    struct Listed {
        std::uint32_t group;
        ActiveRow active;
    };

    void list(std::size_t first, std::size_t start, std::size_t n, const LabelArray& labels,
              const LaneBounds& bounds, const std::uint16_t* distances, std::size_t chunk) {
        std::int32_t buffer[kScannedRows];
        std::uint32_t expired[kScannedRows + 1];
        std::vector<Listed>& listed = listed_[chunk];
        std::uint32_t* counts = places_.data() + chunk * (n_clusters_ + 1);
        listed.clear();
        for (std::size_t at = start; at < start + n; at += kScannedRows) {
            const std::size_t count = std::min(kScannedRows, start + n - at);
            const std::int32_t* read = labels.read(first + at, count, buffer);
            const std::size_t n_expired = bounds.expired(first + at, count, read, expired);
            for (std::size_t i = 0; i < n_expired; ++i) {
                const auto label = static_cast<std::uint32_t>(read[expired[i]]);
                const std::uint32_t group = std::min(label, static_cast<std::uint32_t>(n_clusters_));
                const std::size_t row = at + expired[i];
                listed.push_back({group, {static_cast<std::uint32_t>(row), distances[first + row]}});
                ++counts[group];
            }
        }
    }

    std::size_t n_clusters_;
    std::vector<std::vector<Listed>> listed_;  // [chunk]
    std::vector<std::uint32_t> places_;        // [chunk][group]
    std::vector<std::size_t> ends_;            // [group]
    std::vector<ActiveRow> grouped_;
};

// Tasks: segments of some thousand rows together.
std::vector<std::vector<Segment>> tasks_of(RowsByCluster& rows, std::size_t n_clusters) {
    std::vector<std::vector<Segment>> tasks;
    std::size_t n = kTaskRows;
    for (std::size_t j = 0; j <= n_clusters; ++j) {
        const std::span<ActiveRow> all = rows.of(j);
        for (std::size_t at = 0; at < all.size();) {
            if (n >= kTaskRows) {
                tasks.emplace_back();
                n = 0;
            }
            const std::size_t taken = std::min(all.size() - at, kTaskRows);
            tasks.back().push_back({j, all.subspan(at, taken)});
            at += taken;
            n += taken;
        }
    }
    return tasks;
}

// Puts far rows first, roughly.
class DistanceSort {
  public:
    void operator()(std::span<ActiveRow> rows) {
        if (rows.size() <= kLaneTile / 4) return;
        const auto by_distance = [](const ActiveRow& a, const ActiveRow& b) {
            return a.distance < b.distance;
        };
        const auto [least, most] = std::minmax_element(rows.begin(), rows.end(), by_distance);
        const std::uint32_t low = least->distance;
        const std::uint32_t range = most->distance - low + 1;
        const auto class_of = [&](const ActiveRow& row) {
            return kDistanceClasses - 1 - (row.distance - low) * kDistanceClasses / range;
        };
        std::size_t places[kDistanceClasses + 1] = {};
        for (const ActiveRow& row : rows) ++places[class_of(row) + 1];
        for (std::size_t c = 0; c < kDistanceClasses; ++c) places[c + 1] += places[c];
        copy_.assign(rows.begin(), rows.end());
        for (const ActiveRow& row : copy_) rows[places[class_of(row)]++] = row;
    }

  private:
    std::vector<ActiveRow> copy_;
};

// Ordered as the values, which are not negative.
std::uint16_t upper_half(float value) {
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}

struct Step {
    const Rows& rows;
    const Centers& centers;
    const NearCenters& near;
    LabelArray labels;
    LaneBounds& bounds;
    std::uint16_t* distances;
    const Kernels& table;
};

// One thread's work.
class NearCentersWorker {
  public:
    NearCentersWorker(const Step& step, LabelChanges* changes)
        : step_(step),
          log_(changes ? &changes->open_log() : nullptr),
          search_(step.near),
          exact_(step.rows, step.centers, step.table),
          scratch_(kLaneTile * kLaneChunk + kPadding),
          lanes_(kLaneTile * std::max<std::size_t>(step.rows.n_features, 4)),
          margin_unit_(step.near.all().has_duplicates()
                           ? 0.0F
                           : static_cast<float>(1 / step.near.listed().lanes.scale)) {}

    // Assigns rows counted from `first`; returns how many labels change.
    std::size_t operator()(std::size_t first, const Segment& segment) {
        std::size_t changed = 0;
        if (segment.cluster == step_.centers.n_clusters) {
            for (const ActiveRow& row : segment.rows) changed += assign_exactly(first + row.row);
            return changed;
        }
        sort_(segment.rows);
        search_.start(segment.cluster);
        for (std::size_t at = 0; at < segment.rows.size(); at += kLaneTile)
            changed += assign_tile(first, segment.cluster,
                                   segment.rows.subspan(at, std::min(kLaneTile, segment.rows.size() - at)));
        return changed;
    }

  private:
    static constexpr std::size_t kPadding = 64;
    static constexpr float kMaxDistance = 1e15F;  // of squares that float32 holds

    std::size_t assign_tile(std::size_t first, std::size_t cluster, std::span<const ActiveRow> rows) {
        const LaneCenters& lanes = step_.near.listed().lanes;
        const ListedKernels& kernel = *step_.table.listed;
        for (std::size_t i = 0; i < rows.size(); ++i) rows_[i] = rows[i].row;
        kernel.read[step_.rows.dtype](step_.rows.row(first), rows_, rows.size(), lanes, scratch_.data(),
                                      lanes_.data());
        kernel.own_distances(lanes_.data(), rows.size(), lanes.n_features, step_.near.own(cluster),
                             distances_, squares_);
        float farthest = 0;
        for (std::size_t i = 0; i < rows.size(); ++i)
            if (distances_[i] < kMaxDistance) farthest = std::max(farthest, distances_[i]);
        const float radius = 2 * farthest;
        const CenterList list = search_.within(radius);
        kernel.nearest(lanes_.data(), rows.size(), {distances_, squares_, radius}, step_.near.listed(), list,
                       labels_, margins_);
        std::size_t changed = 0;
        for (std::size_t i = 0; i < rows.size(); ++i) changed += finish(first + rows_[i], i, list);
        return changed;
    }

    // Sets the label and the bound of a row of the tile.
    std::size_t finish(std::size_t row, std::size_t i, const CenterList& list) {
        if (!(distances_[i] < kMaxDistance)) return assign_exactly(row);
        step_.distances[row] = upper_half(distances_[i]);
        if (labels_[i] >= 0) {
            const auto label = static_cast<std::int32_t>(list.centroids[labels_[i]]);
            step_.bounds.set(row, label, margins_[i] * margin_unit_);
            return update(row, label);
        }
        candidates_.assign(list.centroids, list.centroids + search_.n_found());
        const std::int32_t label = exact_(row, candidates_);
        step_.bounds.set(row, label, 0);
        return update(row, label);
    }

    std::size_t assign_exactly(std::size_t row) {
        candidates_.clear();
        const std::int32_t label = exact_(row, candidates_);
        step_.bounds.set(row, label, 0);
        return update(row, label);
    }

    // Returns how often the row counts if its label changes, else 0.
    std::size_t update(std::size_t row, std::int32_t label) {
        const std::int32_t before = step_.labels.of(row);
        if (before == label) return 0;
        step_.labels.set(row, label);
        if (log_) log_->add(row, before, label);
        return step_.rows.count(row);
    }

    const Step& step_;
    LabelChanges::ThreadLog* log_;
    NearCenters::Search search_;
    ExactNearest exact_;
    DistanceSort sort_;
    std::vector<float> scratch_;
    std::vector<float> lanes_;       // [feature][row of the tile]
    float margin_unit_;              // of distances; 0 where margins mean nothing
    std::uint32_t rows_[kLaneTile];  // of the tile
    alignas(64) float distances_[kLaneTile];
    alignas(64) float squares_[kLaneTile];
    alignas(64) float margins_[kLaneTile];
    alignas(64) std::int32_t labels_[kLaneTile];
    std::vector<std::size_t> candidates_;
};

}  // namespace

NearCentersAssigner::NearCentersAssigner(const Rows& rows, const Kernels& table)
    : rows_(rows), table_(table), bounds_(rows.n_rows), distances_(rows.n_rows, 0) {}

std::size_t NearCentersAssigner::assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                                        LabelChanges* changes) {
    bounds_.follow(centers);
    const NearCenters near(centers, rows_.dtype, table_);
    const Step step{rows_, centers, near, labels, bounds_, distances_.data(), table_};
    RowsByCluster rows(centers.n_clusters);
    std::atomic<std::size_t> changed{0};
    for (std::size_t first = 0; first < rows_.n_rows; first += kRowsTogether) {
        rows.group(first, std::min(kRowsTogether, rows_.n_rows - first), labels, bounds_, distances_.data(),
                   parallel);
        const auto tasks = tasks_of(rows, centers.n_clusters);
        parallel_for(tasks.size(), parallel, [&] {
            return [&, first, worker = NearCentersWorker(step, changes)](std::size_t task) mutable {
                for (const Segment& segment : tasks[task]) changed += worker(first, segment);
            };
        });
    }
#ifdef KMOSAIC_CHECK_BOUNDS
    abort_on(margin_violation(bounds_, rows_, centers, labels));
#endif
    return changed;
}

double near_share(const Rows& rows, const Centers& centers, const LabelArray& labels, std::size_t n_sampled,
                  const Kernels& table) {
    const NearCenters all(centers, rows.dtype, table);
    NearCenters::Search search(all);
    std::vector<double> row(rows.n_features);
    std::vector<std::pair<std::size_t, std::size_t>>
        sample;  // cluster and row: near clusters cost less together
    const std::size_t stride = std::max<std::size_t>(rows.n_rows / n_sampled, 1);
    for (std::size_t i = 0; i < rows.n_rows; i += stride) {
        const auto own = static_cast<std::size_t>(labels.of(i));
        if (own >= centers.n_clusters) return 1;
        sample.emplace_back(own, i);
    }
    std::sort(sample.begin(), sample.end());
    std::size_t n_found = 0;
    for (const auto& [own, i] : sample) {
        table.exact->widen[rows.dtype](rows.row(i), rows.n_features, row.data());
        search.start(own);
        search.within(static_cast<float>(
            2 * all.listed().lanes.scale *
            std::sqrt(table.exact->squared_distance(row.data(), centers.row(own), rows.n_features))));
        n_found += search.n_found();
    }
    return static_cast<double>(n_found) / static_cast<double>(sample.size() * centers.n_clusters);
}

}  // namespace kmosaic
