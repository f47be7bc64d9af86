#include "assign/lane_assigner.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "core/numerics.hpp"
#include "core/panels.hpp"
#include "exact/exact_nearest.hpp"
#include "filters/lane_filter.hpp"
#include "kernels/dispatch.hpp"
#ifdef KMOSAIC_CHECK_BOUNDS
#include "assign/check_bounds.hpp"
#endif

namespace kmosaic {

namespace {

// Rows a task labels: at most a tenth of a millisecond for few clusters, half a second for the most; fewer where each
// thread would have less than some tasks. The int16 filter takes more, so that the rows it leaves undecided fill the
// registers of the float32 filter.
constexpr std::size_t kMinBlockRows = 256;
constexpr std::size_t kBlockRows = 2048;
constexpr std::size_t kMaxBlockRows = 8192;
constexpr std::size_t kTasksPerThread = 8;
static_assert(kMinBlockRows % kLaneTile == 0 && kBlockRows % kLaneTile == 0 &&
              kMaxBlockRows % kLaneTile == 0);

std::size_t block_rows(std::size_t n_rows, bool in_int16, const Parallel& parallel) {
    const std::size_t n_threads = std::max<std::size_t>(parallel.n_threads, 1);
    const std::size_t shared = n_rows / kTasksPerThread / n_threads / kLaneTile * kLaneTile;
    return in_int16 ? std::clamp(shared, kBlockRows, kMaxBlockRows)
                    : std::clamp(shared, kMinBlockRows, kBlockRows);
}

// The kernels' table is one throughout: another thread may select another.
struct Task {
    const Rows& rows;
    const Centers& centers;
    const Int16Filter* int16;  // or null
    LaneBounds* bounds;        // or null
    const LaneFilter& float32;
    const std::vector<double>& panels;  // none for long rows
    const Kernels& table;
};

// One thread's last stage for the few rows that the filters leave undecided: all distances in float64, and
// the exact nearest of the centroids that these cannot tell apart. Features are added one by one: the
// relative error is (d + 2) u64 (L15).
class NearestOfAll {
  public:
    explicit NearestOfAll(const Task& task)
        : task_(task),
          exact_nearest_(task.rows, task.centers, task.table),
          all_(task.panels.size() / task.rows.n_features) {}

    std::int32_t operator()(std::size_t row) {
        candidates_.clear();
        if (all_.empty()) return exact_nearest_(row, candidates_);
        const std::size_t d = task_.rows.n_features;
        const ExactKernels& kernel = *task_.table.exact;
        const double* wide = exact_nearest_.widen(row);
        for (std::size_t j = 0; j < all_.size(); j += kExactPanelWidth)
            kernel.squared_distances(wide, 1, d, task_.panels.data() + j * d, all_.data() + j);
        const double least = *std::min_element(
            all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(task_.centers.n_clusters));
        const double limit =
            std::max(least * (1 + 4 * static_cast<double>(d + 2) * kU64), kUnderflow);  // L15
        for (std::size_t j = 0; j < task_.centers.n_clusters; ++j)
            if (all_[j] <= limit) candidates_.push_back(j);
        return candidates_.size() == 1 ? static_cast<std::int32_t>(candidates_[0])
                                       : exact_nearest_(row, candidates_);
    }

  private:
    const Task& task_;
    ExactNearest exact_nearest_;
    std::vector<double> all_;
    std::vector<std::size_t> candidates_;
};

// One thread's work on a block of rows.
class LaneWorker {
  public:
    // On blocks of at most so many rows.
    LaneWorker(const Task& task, LabelArray labels, LabelChanges* changes, std::size_t n_rows)
        : task_(task),
          labels_(labels),
          buffer_(n_rows),
          log_(changes ? &changes->open_log() : nullptr),
          new_labels_(n_rows),
          list_(n_rows + kInt16ListSpare),
          changed_(n_rows),
          moved_(n_rows + kInt16ListSpare),
          margins_(n_rows),
          undecided_(n_rows),
          scratch_(lane_scratch(task.rows.n_features, task.float32.centroids().n_groups)),
          nearest_of_all_(task) {}

    std::size_t operator()(std::size_t first, std::size_t count) {
        if (task_.int16) return filter_in_int16(first, count);
        const std::int32_t* labels = labels_.read(first, count, buffer_.data());
        const std::size_t n_expired =
            task_.bounds ? task_.bounds->expired(first, count, labels, list_.data()) : count;
        if (2 * n_expired <= count) return update_listed(first, n_expired);
        float32(first, count, nullptr, new_labels_.data());
        const std::size_t n =
            task_.table.lanes->differences(new_labels_.data(), labels, count, changed_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < n; ++i) changed += update(first + changed_[i], new_labels_[changed_[i]]);
        return changed;
    }

  private:
    // The rows that the int16 filter leaves undecided go to the float32 filter.
    std::size_t filter_in_int16(std::size_t first, std::size_t count) {
        Int16Labels int16 = labels_.int16(first);
        int16.moved = log_ || task_.rows.counts ? moved_.data() : nullptr;
        int16.undecided = list_.data();
        task_.table.int16->nearest[task_.rows.dtype](task_.rows.row(first), count, task_.int16->centroids(),
                                                     int16);
        std::size_t changed = int16.n_moved;
        if (int16.moved) {
            const auto moved = std::span<const MovedRow>(moved_).first(int16.n_moved);
            if (log_) log_->add(moved);
            changed = 0;
            for (const MovedRow& row : moved) changed += task_.rows.count(row.row);
        }
        return changed + update_listed(first, int16.n_undecided);
    }

    // Labels the rows in list_.
    std::size_t update_listed(std::size_t first, std::size_t n) {
        float32(first, n, list_.data(), new_labels_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < n; ++i) changed += update(first + list_[i], new_labels_[i]);
        return changed;
    }

    // Labels n rows from `first`, or those listed: by the float32 filter, and those that it leaves undecided
    // exactly.
    void float32(std::size_t first, std::size_t n, const std::uint32_t* list, std::int32_t* label) {
        const auto row = [&](std::size_t i) { return first + (list ? list[i] : i); };
        const std::size_t n_undecided = task_.table.lanes->nearest[task_.rows.dtype](
            list ? gather(first, n, list) : task_.rows.row(first), n, task_.float32.centroids(), label,
            undecided_.data(), task_.bounds ? margins_.data() : nullptr, scratch_.data());
        for (std::size_t u = 0; u < n_undecided; ++u) {
            label[undecided_[u]] = nearest_of_all_(row(undecided_[u]));
            margins_[undecided_[u]] = 0;
        }
        if (!task_.bounds) return;
        const float scale =
            task_.float32.has_duplicates() ? 0.0F : static_cast<float>(1 / task_.float32.centroids().scale);
        for (std::size_t i = 0; i < n; ++i) task_.bounds->set(row(i), label[i], margins_[i] * scale);
    }

    const void* gather(std::size_t first, std::size_t n, const std::uint32_t* list) {
        const std::size_t bytes = task_.rows.row_bytes();
        gathered_.resize(n * bytes);
        for (std::size_t i = 0; i < n; ++i)
            std::memcpy(gathered_.data() + i * bytes, task_.rows.row(first + list[i]), bytes);
        return gathered_.data();
    }

    // Returns how often the row counts if its label changes, else 0.
    std::size_t update(std::size_t row, std::int32_t label) {
        const std::int32_t before = labels_.of(row);
        if (before == label) return 0;
        labels_.set(row, label);
        if (log_) log_->add(row, before, label);
        return task_.rows.count(row);
    }

    const Task& task_;
    LabelArray labels_;
    std::vector<std::int32_t> buffer_;
    LabelChanges::ThreadLog* log_;
    std::vector<std::int32_t> new_labels_;  // of the block's rows, or of those in list_
    std::vector<std::uint32_t> list_;       // rows of the block
    std::vector<std::uint32_t> changed_;    // rows of the block whose label differs from before
    std::vector<MovedRow> moved_;           // the same from the int16 filter
    std::vector<float> margins_;
    std::vector<std::uint32_t> undecided_;
    std::vector<float> scratch_;
    std::vector<std::uint8_t> gathered_;
    NearestOfAll nearest_of_all_;
};

}  // namespace

const std::int32_t* LabelArray::read(std::size_t first, std::size_t count, std::int32_t* buffer) const {
    if (wide_) return wide_ + first;
    for (std::size_t i = 0; i < count; ++i) buffer[i] = of(first + i);
    return buffer;
}

void widen(const LabelArray& labels, std::size_t n_rows, std::int32_t* out, const Parallel& parallel) {
    constexpr std::size_t kTogether = std::size_t{1} << 18;
    parallel_blocks(n_rows, kTogether, parallel, [&] {
        return [&](std::size_t first, std::size_t count) {
            const std::int32_t* read = labels.read(first, count, out + first);
            if (read != out + first) std::copy_n(read, count, out + first);
        };
    });
}

LaneAssigner::LaneAssigner(const Rows& rows, const Kernels& table, const Int16Range* range)
    : rows_(rows), table_(table) {
    if (range) range_.emplace(*range);
}

std::size_t LaneAssigner::assign(const Plan& plan, const Centers& centers, LabelArray labels,
                                 const Parallel& parallel, LabelChanges* changes) {
    std::optional<Int16Filter> int16;
    if (plan.path == Path::kInt16 && Int16Filter::possible(centers)) {
        if (!range_) range_.emplace(int16_range(rows_, *table_.int16, parallel));
        int16.emplace(centers, rows_.dtype, *range_);
    }
    const bool bounded = plan.bounds && n_calls_++ > 0;
    if (bounded && !bounds_) bounds_.emplace(rows_.n_rows);
    if (bounded) bounds_->follow(centers);
    const LaneFilter float32(centers, rows_.dtype);
    const std::vector<double> panels =
        rows_.n_features <= kLowDimFeatures ? exact_panels(centers) : std::vector<double>();
    const Task task{rows_,  centers, int16 ? &*int16 : nullptr, bounded ? &*bounds_ : nullptr, float32,
                    panels, table_};
    const std::size_t n_together = block_rows(rows_.n_rows, int16.has_value(), parallel);
    const std::size_t changed = count_in_blocks(
        rows_.n_rows, n_together, parallel, [&] { return LaneWorker(task, labels, changes, n_together); });
#ifdef KMOSAIC_CHECK_BOUNDS
    if (bounded) abort_on(margin_violation(*bounds_, rows_, centers, labels));
#endif
    return changed;
}

}  // namespace kmosaic
