// What changed labels change in the sums: rows that went from one cluster to another, as an assignment step meets them.
//
// Where the sums are few, each thread adds its rows at once to a table of its own, so that memory does not grow with the
// rows that move. Else it lists them, up to a limit past which summing all rows anew is as quick.
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
class ClusterSums;

class LabelChanges {
  public:
    // Of rows whose sums the ClusterSums holds; both must outlive the LabelChanges.
    LabelChanges(const Rows& rows, const ClusterSums& partial);
    LabelChanges(const Rows& rows, const ExactSums& sums);

    // One thread's moves.
    class ThreadLog {
      public:
        explicit ThreadLog(LabelChanges& changes);

        // Row went from one cluster to another; from < 0: it was in none yet.
        void add(std::size_t row, std::int32_t from, std::int32_t to) {
            if (moved_.size() == capacity_) make_space();
            const auto left = static_cast<std::uint32_t>(from);
            moved_.push_back({row, left < n_clusters_ ? left : n_clusters_, static_cast<std::uint32_t>(to)});
        }

        void add(std::span<const MovedRow> moved);

      private:
        friend class LabelChanges;
        void make_space();
        SumTable flush();  // the table, what was waiting added

        LabelChanges& changes_;
        std::uint32_t n_clusters_;
        std::size_t capacity_;
        std::vector<MovedRow> moved_;  // waiting for the table, or the list
        std::vector<std::int64_t> sums_;
        std::vector<std::int64_t> counts_;
    };

    // A ledger for the calling thread, alive as long as the LabelChanges. May be called by several threads at once.
    ThreadLog& open_log();

    [[nodiscard]] const Rows& rows() const { return rows_; }
    [[nodiscard]] std::size_t n_clusters() const { return n_clusters_; }
    // Whether sums can be made from the moves; if not, all rows must be summed anew: they are not exact, or too many
    // rows moved.
    [[nodiscard]] bool complete() const { return kind_ != kNothing && n_listed_ <= max_listed_; }
    // Whether a table of the moves' sums is one of these; `sums` is null where they are not exact.
    [[nodiscard]] bool fit(const ExactSums* sums) const;
    // What was listed, by ledger.
    [[nodiscard]] std::vector<std::span<const MovedRow>> lists() const;
    // Each ledger's table, where sums are few.
    [[nodiscard]] std::vector<SumTable> tables();

  private:
    enum Kind { kNothing, kTable, kList };

    Rows rows_;
    std::size_t n_clusters_;
    const ExactSums* sums_;  // null where sums are not exact
    Kind kind_;
    std::size_t max_listed_;
    std::atomic<std::size_t> n_listed_{0};
    std::mutex opening_;
    std::deque<ThreadLog> logs_;  // which stay where they are
};

}  // namespace kmosaic
