#include "update/row_groups.hpp"

#include <algorithm>

namespace kmosaic {

namespace {

// A counting sort by key 2 cluster + leaves. `visit` calls its argument with (key, row), the same ones each
// time.
template <class Visit>
RowGroups sorted(std::size_t n_clusters, Visit visit) {
    std::vector<std::size_t> ends(2 * n_clusters + 1, 0);
    visit([&](std::size_t key, std::size_t) { ++ends[key + 1]; });
    for (std::size_t key = 1; key < ends.size(); ++key) ends[key] += ends[key - 1];
    RowGroups sorted{std::vector<std::size_t>(ends.back()), {}};
    visit([&](std::size_t key, std::size_t row) { sorted.rows[ends[key]++] = row; });
    std::size_t first = 0;
    for (std::size_t key = 0; key < 2 * n_clusters; ++key) {
        while (first < ends[key]) {
            const std::size_t n = std::min(ends[key] - first, kMaxRowsInGroup);
            sorted.groups.push_back({key / 2, key % 2 == 1, std::span(sorted.rows).subspan(first, n)});
            first += n;
        }
    }
    return sorted;
}

}  // namespace

RowGroups groups_of_labels(const std::int32_t* labels, std::size_t first, std::size_t last,
                           std::size_t n_clusters) {
    return sorted(n_clusters, [&](auto take) {
        for (std::size_t i = first; i < last; ++i) take(2 * static_cast<std::size_t>(labels[i]), i);
    });
}

RowGroups groups_of_changes(const std::vector<std::span<const MovedRow>>& lists, std::size_t n_clusters) {
    return sorted(n_clusters, [&](auto take) {
        for (const auto& list : lists) {
            for (const MovedRow& moved : list) {
                take(2 * std::size_t{moved.to}, moved.row);
                if (moved.from < n_clusters) take(2 * std::size_t{moved.from} + 1, moved.row);
            }
        }
    });
}

}  // namespace kmosaic
