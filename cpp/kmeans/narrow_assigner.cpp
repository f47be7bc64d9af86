#include "kmeans/narrow_assigner.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "kernels/dispatch.hpp"
#include "kmeans/decide.hpp"
#include "kmeans/narrow_screen.hpp"

namespace kmosaic {

namespace {

// Rows a task labels: a tenth of a millisecond at most of few clusters, half a second of the most. By words they are more, where
// each thread still has some tasks, so that what words leave undecided fills registers in float32, too.
constexpr std::size_t kBlockRows = 2048;
constexpr std::size_t kMostBlockRows = 8192;
constexpr std::size_t kTasksAThread = 8;
static_assert(kBlockRows % kNarrowTile == 0 && kMostBlockRows % kNarrowTile == 0);

std::size_t block_rows(std::size_t n_rows, bool by_words, const Parallel& parallel) {
    const std::size_t shared = n_rows / (kTasksAThread * std::max<std::size_t>(parallel.n_threads, 1));
    return by_words ? std::clamp(shared / kNarrowTile * kNarrowTile, kBlockRows, kMostBlockRows) : kBlockRows;
}

// What is assigned, to what, by which kernels. One table throughout: another thread may select another.
struct Task {
    const Rows& rows;
    const Centers& centers;
    const WordScreen* words;  // null: there is none
    NarrowBounds* bounds;     // likewise
    const NarrowScreen& screen;
    const std::vector<double>& panels;
    const Kernels& table;
};

// Centroids in the exact kernels' panels; the last is filled up with infinity, which is nearest to nothing.
std::vector<double> exact_panels(const Centers& centers) {
    const std::size_t d = centers.n_features;
    const std::size_t n_panels = (centers.n_clusters + kExactPanelWidth - 1) / kExactPanelWidth;
    std::vector<double> panels(n_panels * kExactPanelWidth * d, std::numeric_limits<double>::infinity());
    for (std::size_t j = 0; j < centers.n_clusters; ++j)
        for (std::size_t f = 0; f < d; ++f)
            panels[(j / kExactPanelWidth * d + f) * kExactPanelWidth + j % kExactPanelWidth] =
                centers.row(j)[f];
    return panels;
}

// One thread's last stage for the few rows a screen cannot decide: all distances in float64, and `nearest` for what
// they cannot tell apart. Features added one by one, their relative error is at most (d + 2) u64.
class Decider {
  public:
    explicit Decider(const Task& task)
        : task_(task), row_(task.rows.n_features), all_(task.panels.size() / task.rows.n_features) {}

    std::int32_t operator()(std::size_t row) {
        const std::size_t d = task_.rows.n_features;
        const ExactKernels& kernel = *task_.table.exact;
        kernel.widen[task_.rows.dtype](task_.rows.row(row), d, row_.data());
        for (std::size_t j = 0; j < all_.size(); j += kExactPanelWidth)
            kernel.squared_distances(row_.data(), 1, d, task_.panels.data() + j * d, all_.data() + j);
        const double least = *std::min_element(
            all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(task_.centers.n_clusters));
        const double limit = std::max(least * (1 + 4 * static_cast<double>(d + 2) * 0x1p-53), kUnderflow);
        candidates_.clear();
        for (std::size_t j = 0; j < task_.centers.n_clusters; ++j)
            if (all_[j] <= limit) candidates_.push_back(j);
        return static_cast<std::int32_t>(candidates_.size() == 1
                                             ? candidates_[0]
                                             : nearest(row_.data(), task_.centers, candidates_, distances_));
    }

  private:
    const Task& task_;
    std::vector<double> row_;
    std::vector<double> all_;
    std::vector<std::size_t> candidates_;
    std::vector<double> distances_;
};

// One thread's work on a block of rows.
class NarrowWorker {
  public:
    // On blocks of at most so many rows.
    NarrowWorker(const Task& task, LabelArray labels, Moves* moves, std::size_t n_rows)
        : task_(task),
          labels_(labels),
          room_(n_rows),
          ledger_(moves ? &moves->open() : nullptr),
          found_(n_rows),
          list_(n_rows + kWordListSpare),
          changed_(n_rows),
          moved_(n_rows + kWordListSpare),
          margins_(n_rows),
          undecided_(n_rows),
          decide_(task) {}

    std::size_t operator()(std::size_t first, std::size_t count) {
        if (task_.words) return screen_words(first, count);
        const std::int32_t* labels = labels_.read(first, count, room_.data());
        const std::size_t n_due =
            task_.bounds ? task_.bounds->due(first, count, labels, list_.data()) : count;
        if (2 * n_due <= count) return update_listed(first, n_due);
        screen(first, count, nullptr, found_.data());
        const std::size_t n = task_.table.narrow->differences(found_.data(), labels, count, changed_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < n; ++i) changed += update(first + changed_[i], found_[changed_[i]]);
        return changed;
    }

  private:
    // What words leave undecided is for the screen in float32.
    std::size_t screen_words(std::size_t first, std::size_t count) {
        WordLabels words = labels_.words(first);
        words.moved = ledger_ || task_.rows.counts ? moved_.data() : nullptr;
        words.undecided = list_.data();
        task_.table.words->nearest[task_.rows.dtype](task_.rows.row(first), count, task_.words->centroids(),
                                                     words);
        std::size_t changed = words.n_moved;
        if (words.moved) {
            const auto moved = std::span<const MovedRow>(moved_).first(words.n_moved);
            if (ledger_) ledger_->add(moved);
            changed = 0;
            for (const MovedRow& row : moved) changed += task_.rows.count(row.row);
        }
        return changed + update_listed(first, words.n_undecided);
    }

    // The rows in list_.
    std::size_t update_listed(std::size_t first, std::size_t n) {
        screen(first, n, list_.data(), found_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < n; ++i) changed += update(first + list_[i], found_[i]);
        return changed;
    }

    // Labels of n rows from `first`, or of those listed, in float32 and where that leaves doubt exactly.
    void screen(std::size_t first, std::size_t n, const std::uint32_t* list, std::int32_t* found) {
        const auto row = [&](std::size_t i) { return first + (list ? list[i] : i); };
        const std::size_t n_undecided = task_.table.narrow->nearest[task_.rows.dtype](
            list ? gather(first, n, list) : task_.rows.row(first), n, task_.screen.centroids(), found,
            undecided_.data(), task_.bounds ? margins_.data() : nullptr);
        for (std::size_t u = 0; u < n_undecided; ++u) {
            found[undecided_[u]] = decide_(row(undecided_[u]));
            margins_[undecided_[u]] = 0;
        }
        if (!task_.bounds) return;
        const float scale =
            task_.screen.has_copies() ? 0.0F : static_cast<float>(1 / task_.screen.centroids().scale);
        for (std::size_t i = 0; i < n; ++i) task_.bounds->set(row(i), found[i], margins_[i] * scale);
    }

    const void* gather(std::size_t first, std::size_t n, const std::uint32_t* list) {
        const std::size_t bytes = task_.rows.row_bytes();
        gathered_.resize(n * bytes);
        for (std::size_t i = 0; i < n; ++i)
            std::memcpy(gathered_.data() + i * bytes, task_.rows.row(first + list[i]), bytes);
        return gathered_.data();
    }

    std::size_t update(std::size_t row, std::int32_t found) {
        const std::int32_t before = labels_.of(row);
        if (before == found) return 0;
        labels_.set(row, found);
        return tell(row, before, found);
    }

    // How often a row counts whose label has changed.
    std::size_t tell(std::size_t row, std::int32_t before, std::int32_t now) {
        if (ledger_) ledger_->add(row, before, now);
        return task_.rows.count(row);
    }

    const Task& task_;
    LabelArray labels_;
    std::vector<std::int32_t> room_;
    Moves::Ledger* ledger_;
    std::vector<std::int32_t> found_;     // labels of the block's rows, or of
    std::vector<std::uint32_t> list_;     // some of them
    std::vector<std::uint32_t> changed_;  // and those that differ from before
    std::vector<MovedRow> moved_;         // or, by words, these
    std::vector<float> margins_;
    std::vector<std::uint32_t> undecided_;
    std::vector<std::uint8_t> gathered_;
    Decider decide_;
};

}  // namespace

const std::int32_t* LabelArray::read(std::size_t first, std::size_t count, std::int32_t* room) const {
    if (wide_) return wide_ + first;
    for (std::size_t i = 0; i < count; ++i) room[i] = of(first + i);
    return room;
}

void widen(const LabelArray& labels, std::size_t n_rows, std::int32_t* out, const Parallel& parallel) {
    constexpr std::size_t kTogether = std::size_t{1} << 18;
    parallel_for((n_rows + kTogether - 1) / kTogether, parallel, [&] {
        return [&](std::size_t block) {
            const std::size_t first = block * kTogether;
            const std::size_t count = std::min(kTogether, n_rows - first);
            const std::int32_t* read = labels.read(first, count, out + first);
            if (read != out + first) std::copy_n(read, count, out + first);
        };
    });
}

NarrowAssigner::NarrowAssigner(const Rows& rows, const Parallel& parallel, const WordRange* range)
    : rows_(rows), table_(kernels()) {
    if (table_.words && rows.integer())
        range_.emplace(range ? *range : word_range(rows, *table_.words, parallel));
}

std::size_t NarrowAssigner::assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                                   Moves* moves) {
    std::optional<WordScreen> words;
    if (range_ && centers.n_clusters <= kMostWordClusters && WordScreen::possible(centers))
        words.emplace(centers, rows_.dtype, *range_);
    const bool bounded = !words && n_calls_++ > 0 && centers.n_clusters <= NarrowBounds::kMostClusters;
    if (bounded && !bounds_) bounds_.emplace(rows_.n_rows);
    if (bounded) bounds_->follow(centers);
    const NarrowScreen screen(centers, rows_.dtype);
    const std::vector<double> panels = exact_panels(centers);
    const Task task{rows_,  centers, words ? &*words : nullptr, bounded ? &*bounds_ : nullptr, screen,
                    panels, table_};
    std::atomic<std::size_t> changed{0};
    const std::size_t n_together = block_rows(rows_.n_rows, words.has_value(), parallel);
    parallel_for((rows_.n_rows + n_together - 1) / n_together, parallel, [&] {
        return [&, worker = NarrowWorker(task, labels, moves, n_together)](std::size_t block) mutable {
            const std::size_t first = block * n_together;
            changed += worker(first, std::min(n_together, rows_.n_rows - first));
        };
    });
    return changed;
}

}  // namespace kmosaic
