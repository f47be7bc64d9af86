#include "update/label_changes.hpp"

#include <algorithm>

#include "update/exact_sums.hpp"

namespace kmosaic {

namespace {

// Rows that wait until they are added to a table together: a few KB.
constexpr std::size_t kWaiting = 256;

// Rows listed between two comparisons with the limit.
constexpr std::size_t kListStep = 1024;

// Moving a row from one cluster to another costs twice what summing it anew does. A listed and sorted row
// takes 32 bytes; all together may take an eighth of the data.
std::size_t max_listed(const Rows& rows) {
    return std::min(rows.n_rows / 2, rows.n_rows * rows.row_bytes() / (8 * 32));
}

}  // namespace

LabelChanges::LabelChanges(const Rows& rows, const ExactSums& sums)
    : rows_(rows),
      n_clusters_(sums.n_clusters()),
      sums_(sums),
      listed_(!sums.small()),
      max_listed_(max_listed(rows)) {}

bool LabelChanges::fit(const ExactSums& sums) const {
    return sums.size() == sums_.size() && sums.spacings() == sums_.spacings() &&
           sums.weight_spacings() == sums_.weight_spacings();
}

LabelChanges::ThreadLog& LabelChanges::open_log() {
    const std::lock_guard lock(opening_);
    return logs_.emplace_back(*this);
}

LabelChanges::ThreadLog::ThreadLog(LabelChanges& changes)
    : changes_(changes),
      n_clusters_(static_cast<std::uint32_t>(changes.n_clusters_)),
      capacity_(changes.listed_ ? kListStep : kWaiting),
      sums_(!changes.listed_ ? changes.sums_.size() : 0, 0),
      counts_(!changes.listed_ ? changes.sums_.counts().size() : 0, 0) {
    moved_.reserve(capacity_);
}

void LabelChanges::ThreadLog::make_space() {
    if (!changes_.listed_) flush();
    if (changes_.listed_ && (changes_.n_listed_ += kListStep) <= changes_.max_listed_)
        moved_.reserve(capacity_ += kListStep);  // no more than that: a vector would double
    else
        moved_.clear();
}

void LabelChanges::ThreadLog::add(std::span<const MovedRow> moved) {
    if (!changes_.listed_)
        return changes_.sums_.move(changes_.rows_, moved, changes_.sums_.table(sums_, counts_));
    for (const MovedRow& row : moved) {
        if (moved_.size() == capacity_) make_space();
        moved_.push_back(row);
    }
}

SumTable LabelChanges::ThreadLog::flush() {
    const SumTable table = changes_.sums_.table(sums_, counts_);
    changes_.sums_.move(changes_.rows_, moved_, table);
    moved_.clear();
    return table;
}

std::vector<std::span<const MovedRow>> LabelChanges::lists() const {
    std::vector<std::span<const MovedRow>> lists;
    for (const ThreadLog& log : logs_) lists.emplace_back(log.moved_);
    return lists;
}

std::vector<SumTable> LabelChanges::tables() {
    std::vector<SumTable> tables;
    for (ThreadLog& log : logs_) tables.push_back(log.flush());
    return tables;
}

}  // namespace kmosaic
