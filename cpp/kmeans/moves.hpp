// What changed labels change in the sums of clusters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

namespace kmosaic {

class Moves {
  public:
    struct Move {
        std::size_t row;
        std::int32_t from;  // < 0: the row was in no cluster
        std::int32_t to;
    };

    // One worker thread's.
    class Ledger {
      public:
        void add(std::size_t row, std::int32_t from, std::int32_t to) { moves_.push_back({row, from, to}); }
        [[nodiscard]] const std::vector<Move>& moves() const { return moves_; }

      private:
        std::vector<Move> moves_;
    };

    // Alive as long as the Moves.
    Ledger& open() {
        const std::lock_guard lock(mutex_);
        return ledgers_.emplace_back();
    }

    [[nodiscard]] const std::deque<Ledger>& ledgers() const { return ledgers_; }

  private:
    std::mutex mutex_;
    std::deque<Ledger> ledgers_;
};

}  // namespace kmosaic
