// Label changes recorded during an assignment step, so that cluster sums can be updated incrementally.
//
// If there are few sums, each thread adds its rows at once to a table of its own, so that memory does not
// grow with the number of rows. Otherwise it lists them, up to a limit beyond which summing all rows anew is
// as fast.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "core/rows.hpp"

namespace kmosaic {

class ExactSums;

class LabelChanges {
  public:
    // `sums` are those of the rows; both must outlive this.
    LabelChanges(const Rows& rows, const ExactSums& sums);

    // What one thread records.
    class ThreadLog {
      public:
        explicit ThreadLog(LabelChanges& changes);

        // Records that a row changed cluster; from < 0: it was in none yet.
        void add(std::size_t row, std::int32_t from, std::int32_t to) {
            if (moved_.size() == capacity_) make_space();
            const auto left = static_cast<std::uint32_t>(from);
            moved_.push_back({row, left < n_clusters_ ? left : n_clusters_, static_cast<std::uint32_t>(to)});
        }

        void add(std::span<const MovedRow> moved);

      private:
        friend class LabelChanges;
        void make_space();
        SumTable flush();  // adds the waiting rows to the table, and returns it

        LabelChanges& changes_;
        std::uint32_t n_clusters_;
        std::size_t capacity_;
        std::vector<MovedRow> moved_;  // waiting rows or, without a table, all rows
        std::vector<std::int64_t> sums_;
        std::vector<std::int64_t> counts_;
    };

    // A log for the calling thread, valid as long as this. Several threads may call it at a time.
    ThreadLog& open_log();

    [[nodiscard]] const Rows& rows() const { return rows_; }
    [[nodiscard]] std::size_t n_clusters() const { return n_clusters_; }
    // Whether all changes are recorded. If not, there were too many, and all rows must be summed anew.
    [[nodiscard]] bool complete() const { return n_listed_ <= max_listed_; }
    // Whether these changes can be applied to such sums.
    [[nodiscard]] bool fit(const ExactSums& sums) const;
    // The listed rows of each log.
    [[nodiscard]] std::vector<std::span<const MovedRow>> lists() const;
    // The table of each log, if there are few sums.
    [[nodiscard]] std::vector<SumTable> tables();

  private:
    Rows rows_;
    std::size_t n_clusters_;
    const ExactSums& sums_;
    bool listed_;
    std::size_t max_listed_;
    std::atomic<std::size_t> n_listed_{0};
    std::mutex opening_;
    std::deque<ThreadLog> logs_;  // a deque, so that references to them stay valid
};

// Writes labels, and records those that change in a log, unless that is null.
struct LabelWriter {
    std::int32_t* labels;
    LabelChanges::ThreadLog* log;

    LabelWriter(std::int32_t* all, LabelChanges* changes)
        : labels(all), log(changes ? &changes->open_log() : nullptr) {}

    // Returns whether the label has changed.
    bool operator()(std::size_t row, std::int32_t label) {
        if (labels[row] == label) return false;
        if (log) log->add(row, labels[row], label);
        labels[row] = label;
        return true;
    }
};

}  // namespace kmosaic
