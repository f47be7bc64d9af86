// Distinct rows of every kind against a sorted map of the rows, on every instruction set.
#include "core/distinct_rows.hpp"

#include <array>
#include <cstring>
#include <map>

#include "check.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

// A row's values, absent ones zero, by their bits, which sort as DistinctRows does.
template <class T>
using Key = std::array<std::make_unsigned_t<T>, 3>;

template <class T>
Key<T> key_of(const T* values, std::size_t row, std::size_t d) {
    Key<T> key{};
    std::memcpy(key.data(), values + row * d, d * sizeof(T));
    return key;
}

template <class T>
void check_distinct_rows(const Values<T>& values, std::size_t d, const Parallel& parallel) {
    const Rows rows = rows_of(values, d);
    std::map<Key<T>, std::uint32_t> expected;
    for (std::size_t i = 0; i < rows.n_rows; ++i) ++expected[key_of(values.data(), i, d)];
    CHECK(DistinctRows::mergeable(rows));
    const DistinctRows distinct_rows(rows, rows.n_rows, parallel);
    CHECK(distinct_rows.size() == expected.size());
    Values<T> merged(distinct_rows.size() * d);
    distinct_rows.write_rows(merged.data(), parallel);
    const std::vector<std::uint32_t> counts = distinct_rows.counts(rows, parallel);
    CHECK(counts.size() == expected.size());
    std::vector<std::int32_t> numbers(distinct_rows.size());
    bool equal = true;
    std::size_t c = 0;
    for (const auto& [key, n] : expected) {
        equal = equal && key_of(merged.data(), c, d) == key && counts[c] == n;
        numbers[c] = 7 * static_cast<std::int32_t>(c);
        ++c;
    }
    CHECK(equal);
    std::vector<std::int32_t> labels(rows.n_rows, -1);
    distinct_rows.expand(rows, numbers.data(), labels.data(), parallel);
    for (std::size_t i = 0; i < rows.n_rows && equal; ++i)
        equal =
            key_of(merged.data(), static_cast<std::size_t>(labels[i]) / 7, d) == key_of(values.data(), i, d);
    CHECK(equal);
}

template <class T>
void check_sizes(std::size_t d, const std::string& what) {
    Random random(d);
    for (const std::size_t n : {0U, 1U, 7U, 1000U, 140001U}) {
        Values<T> values(n * d);
        fill_any(values, random);
        for (std::size_t i = 0; i < n / 2 * d; ++i) values[i] = static_cast<T>(values[i] % 5);
        for (const std::size_t n_threads : {1U, 3U}) {
            context() = what + " n=" + std::to_string(n) + " d=" + std::to_string(d);
            check_distinct_rows(values, d, threads(n_threads));
        }
    }
}

TEST(distinct_rows_are_those_of_a_sorted_map) {
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for (const std::size_t d : {1U, 2U, 3U}) check_sizes<std::uint8_t>(d, name + " uint8");
        check_sizes<std::uint16_t>(1, name + " uint16");
        check_sizes<std::int16_t>(1, name + " int16");
    }
}

TEST(rows_of_more_bits_or_with_weights_are_not_mergeable) {
    const std::vector<double> weights(1, 1.0);
    const std::uint64_t row[4] = {};
    CHECK(!DistinctRows::mergeable({row, kUint8, 1, 4, nullptr}));
    CHECK(!DistinctRows::mergeable({row, kUint16, 1, 2, nullptr}));
    CHECK(!DistinctRows::mergeable({row, kFloat32, 1, 1, nullptr}));
    CHECK(!DistinctRows::mergeable({row, kUint8, 1, 3, weights.data()}));
    CHECK(!DistinctRows::mergeable({row, kUint8, std::size_t{1} << 32, 3, nullptr}));
    CHECK(DistinctRows::mergeable({row, kUint8, (std::size_t{1} << 32) - 1, 3, nullptr}));
}

TEST(a_search_stops_after_too_many_distinct_rows) {
    Random random(4);
    Values<std::uint8_t> values(3 * 400000);
    fill_any(values, random);
    const Rows rows = rows_of(values, 3);
    const std::size_t all = DistinctRows(rows, rows.n_rows, threads(1)).size();
    const std::size_t some = DistinctRows(rows, 1000, threads(1)).size();
    CHECK(some > 1000 && some < all);
    CHECK(DistinctRows(rows, all, threads(1)).size() == all);
}

// Rows that were not merged read the spare element after the last distinct row.
TEST(rows_that_were_not_merged_stay_within_the_tables) {
    const std::vector<std::uint8_t> merged = {1, 2, 3, 4, 5, 6};
    const std::vector<std::uint8_t> other = {255, 255, 255, 0, 0, 0};
    const DistinctRows distinct_rows({merged.data(), kUint8, 2, 3, nullptr}, 2, threads(1));
    const Rows others{other.data(), kUint8, 2, 3, nullptr};
    const std::vector<std::int32_t> distinct_labels = {8, 9};
    std::vector<std::int32_t> labels(2, -1);
    distinct_rows.expand(others, distinct_labels.data(), labels.data(), threads(1));
    CHECK((labels == std::vector<std::int32_t>{0, 8}));
    CHECK(distinct_rows.counts(others, threads(1)).size() == 2);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
