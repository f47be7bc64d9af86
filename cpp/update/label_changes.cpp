#include "update/label_changes.hpp"

#include <algorithm>

#include "update/cluster_sums.hpp"

namespace kmosaic {

namespace {

// Rows that wait until they are added to a table: a few KB.
constexpr std::size_t kWaiting = 256;

// Rows listed before the limit is looked at.
constexpr std::size_t kListStep = 1024;

// Taking a row from one cluster and giving it to another costs twice what summing it anew does. Listed and sorted, a
// move takes 32 bytes: no more than an eighth of the data together.
std::size_t max_listed(const Rows& rows) {
    return std::min(rows.n_rows / 2, rows.n_rows * rows.row_bytes() / (8 * 32));
}

}  // namespace

LabelChanges::LabelChanges(const Rows& rows, const ExactSums& sums)
    : rows_(rows),
      n_clusters_(sums.n_clusters()),
      sums_(&sums),
      kind_(sums.small() ? kTable : kList),
      max_listed_(max_listed(rows)) {}

LabelChanges::LabelChanges(const Rows& rows, const ClusterSums& partial)
    : rows_(rows),
      n_clusters_(partial.n_clusters()),
      sums_(partial.exact_sums()),
      kind_(kNothing),
      max_listed_(max_listed(rows)) {
    if (sums_) kind_ = sums_->small() ? kTable : kList;
}

bool LabelChanges::fit(const ExactSums* sums) const {
    return !sums || !sums_ || (sums->size() == sums_->size() && sums->spacings() == sums_->spacings());
}

LabelChanges::ThreadLog& LabelChanges::open_log() {
    const std::lock_guard lock(opening_);
    return logs_.emplace_back(*this);
}

LabelChanges::ThreadLog::ThreadLog(LabelChanges& changes)
    : changes_(changes),
      n_clusters_(static_cast<std::uint32_t>(changes.n_clusters_)),
      capacity_(changes.kind_ == kList ? kListStep : kWaiting),
      sums_(changes.kind_ == kTable ? changes.sums_->size() : 0, 0),
      counts_(changes.kind_ == kTable ? n_clusters_ : 0, 0) {
    moved_.reserve(capacity_);
}

void LabelChanges::ThreadLog::make_space() {
    if (changes_.kind_ == kTable) flush();
    if (changes_.kind_ == kList && (changes_.n_listed_ += kListStep) <= changes_.max_listed_)
        moved_.reserve(capacity_ += kListStep);  // no more than that: a vector would double
    else
        moved_.clear();
}

void LabelChanges::ThreadLog::add(std::span<const MovedRow> moved) {
    if (changes_.kind_ == kTable)
        return changes_.sums_->move(changes_.rows_, moved, changes_.sums_->table(sums_, counts_));
    for (const MovedRow& row : moved) {
        if (moved_.size() == capacity_) make_space();
        moved_.push_back(row);
    }
}

SumTable LabelChanges::ThreadLog::flush() {
    const SumTable table = changes_.sums_->table(sums_, counts_);
    changes_.sums_->move(changes_.rows_, moved_, table);
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
