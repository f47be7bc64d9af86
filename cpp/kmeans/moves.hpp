#pragma once
#include <cstdint>
#include <deque>
#include <mutex>
namespace kmosaic {
class Moves {
  public:
    class Ledger { public: void add(std::size_t, std::int32_t, std::int32_t) {} };
    Ledger& open() { return ledger_; }
  private: Ledger ledger_;
};
}
