#include "kmeans/moves.hpp"

#include <algorithm>

#include "kmeans/partial.hpp"

namespace kmosaic {

namespace {

// Rows that wait until they are added to a table: a few KB.
constexpr std::size_t kWaiting = 256;

// Rows listed before the limit is looked at.
constexpr std::size_t kListStep = 1024;

// Taking a row from one cluster and giving it to another costs twice what summing it anew does. Listed and sorted, a
// move takes 32 bytes: no more than an eighth of the data together.
std::size_t most_listed(const Rows& rows) {
    return std::min(rows.n_rows / 2, rows.n_rows * rows.row_bytes() / (8 * 32));
}

}  // namespace

Moves::Moves(const Rows& rows, const ExactSums& sums)
    : rows_(rows),
      n_clusters_(sums.n_clusters()),
      sums_(sums),
      kind_(sums.small() ? kTable : kList),
      most_listed_(most_listed(rows)) {}

Moves::Moves(const Rows& rows, const Partial& partial) : Moves(rows, partial.sums()) {}

bool Moves::fit(const ExactSums& sums) const {
    return sums.size() == sums_.size() && sums.grids() == sums_.grids() &&
           sums.weight_grids() == sums_.weight_grids();
}

Moves::Ledger& Moves::open() {
    const std::lock_guard lock(opening_);
    return ledgers_.emplace_back(*this);
}

Moves::Ledger::Ledger(Moves& moves)
    : moves_(moves),
      n_clusters_(static_cast<std::uint32_t>(moves.n_clusters_)),
      room_(moves.kind_ == kList ? kListStep : kWaiting),
      sums_(moves.kind_ == kTable ? moves.sums_.size() : 0, 0),
      counts_(moves.kind_ == kTable ? moves.sums_.counts().size() : 0, 0) {
    moved_.reserve(room_);
}

void Moves::Ledger::make_room() {
    if (moves_.kind_ == kTable) settle();
    if (moves_.kind_ == kList && (moves_.n_listed_ += kListStep) <= moves_.most_listed_)
        moved_.reserve(room_ += kListStep);  // no more than that: a vector would double
    else
        moved_.clear();
}

void Moves::Ledger::add(std::span<const MovedRow> moved) {
    if (moves_.kind_ == kTable)
        return moves_.sums_.move(moves_.rows_, moved, moves_.sums_.table(sums_, counts_));
    for (const MovedRow& row : moved) {
        if (moved_.size() == room_) make_room();
        moved_.push_back(row);
    }
}

SumTable Moves::Ledger::settle() {
    const SumTable table = moves_.sums_.table(sums_, counts_);
    moves_.sums_.move(moves_.rows_, moved_, table);
    moved_.clear();
    return table;
}

std::vector<std::span<const MovedRow>> Moves::lists() const {
    std::vector<std::span<const MovedRow>> lists;
    for (const Ledger& ledger : ledgers_) lists.emplace_back(ledger.moved_);
    return lists;
}

std::vector<SumTable> Moves::tables() {
    std::vector<SumTable> tables;
    for (Ledger& ledger : ledgers_) tables.push_back(ledger.settle());
    return tables;
}

}  // namespace kmosaic
