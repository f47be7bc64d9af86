// The nearest of many rows: those of float64, ties to the lowest, whatever runs it.
#include "extras/nearest_rows.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "check.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

struct Found {
    std::vector<std::int32_t> indices;
    std::vector<double> squares;

    bool operator==(const Found& o) const { return indices == o.indices && same_bits(squares, o.squares); }
};

Found find(const Rows& rows, const std::vector<double>& references, const NeighbourSearch& search,
           std::size_t n_threads) {
    const std::size_t size = rows.n_rows * search.n_neighbours;
    Found found{std::vector<std::int32_t>(size, -1), std::vector<double>(size, -1)};
    const Centers centers{references.data(), references.size() / rows.n_features, rows.n_features};
    nearest_rows(rows, centers, search, {found.indices.data(), found.squares.data()},
                 {n_threads, [] { return false; }});
    return found;
}

// Distances of whole numbers are exact, so that ties are ties.
std::vector<std::int32_t> slow(const std::vector<double>& row, const std::vector<double>& references,
                               const NeighbourSearch& search, std::size_t own) {
    const std::size_t d = row.size();
    std::vector<std::pair<double, std::int32_t>> all;
    for (std::size_t j = 0; j < references.size() / d; ++j) {
        if (j == own) continue;
        double square = 0;
        for (std::size_t f = 0; f < d; ++f) square += std::pow(row[f] - references[j * d + f], 2);
        all.emplace_back(square, static_cast<std::int32_t>(j));
    }
    std::sort(all.begin(), all.end());
    std::vector<std::int32_t> indices;
    for (std::size_t i = 0; i < search.n_neighbours; ++i) indices.push_back(all[i].second);
    return indices;
}

TEST(the_nearest_are_those_of_float64_for_every_dtype_variant_and_number_of_threads) {
    Random random(5);
    struct Shape {
        std::size_t n, references, d, k, values;
    };
    for (const Shape& s : {Shape{1, 1, 1, 1, 5}, Shape{40, 30, 2, 30, 3}, Shape{300, 700, 3, 5, 4},
                           Shape{20, 1300, 65, 9, 128}, Shape{9, 40, 300, 4, 128}}) {
        std::vector<double> numbers, references;
        for (std::size_t i = 0; i < s.n * s.d; ++i)
            numbers.push_back(static_cast<double>(below(random, s.values)));
        for (std::size_t i = 0; i < s.references * s.d; ++i)
            references.push_back(static_cast<double>(below(random, s.values)));
        const NeighbourSearch search{s.k, kNotOwn};
        std::vector<std::int32_t> expected;
        for (std::size_t i = 0; i < s.n; ++i) {
            const auto begin = numbers.begin() + static_cast<std::ptrdiff_t>(i * s.d);
            const auto nearest =
                slow({begin, begin + static_cast<std::ptrdiff_t>(s.d)}, references, search, kNotOwn);
            expected.insert(expected.end(), nearest.begin(), nearest.end());
        }
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            const Values<T> values(numbers);
            for (const std::string& name : supported_variants()) {
                select_kernels(name);
                context() = name + " " + name_of(dtype_of<T>()) + " d=" + std::to_string(s.d);
                const Found one = find(rows_of(values, s.d), references, search, 1);
                CHECK(one.indices == expected);
                CHECK(find(rows_of(values, s.d), references, search, 3) == one);
            }
        });
    }
}

TEST(a_row_is_not_its_own_neighbour_but_its_equals_are) {
    const std::vector<double> numbers = {7, 3, 7, 9, 7};
    const Values<double> all(numbers);
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        context() = name;
        const Found found = find(rows_of(all, 1), numbers, {2, 0}, 1);
        CHECK((found.indices == std::vector<std::int32_t>{2, 4, 0, 2, 0, 4, 0, 2, 0, 2}));
        const Values<double> last(std::vector<double>{9, 7});
        CHECK((find(rows_of(last, 1), numbers, {1, 3}, 1).indices == std::vector<std::int32_t>{0, 0}));
    }
}

TEST(many_equal_references_give_the_lowest) {
    const std::vector<double> references(5000, 3.0);
    const Values<float> rows(std::vector<double>{1, 3});
    const Found found = find(rows_of(rows, 1), references, {40, kNotOwn}, 2);
    std::vector<std::int32_t> expected(40);
    std::iota(expected.begin(), expected.end(), 0);
    expected.insert(expected.end(), expected.begin(), expected.begin() + 40);
    CHECK(found.indices == expected);
}

TEST(rows_of_any_magnitude_are_measured) {
    const std::vector<double> references = {1e-30, 2, -5e60, 1e90, 0, 3e90};
    for (const double row : {1.9, -4e60, 2e99, 1e-31, 2.1e90}) {
        const Values<double> rows(std::vector<double>{row});
        context() = std::to_string(row);
        CHECK((find(rows_of(rows, 1), references, {6, kNotOwn}, 1).indices ==
               slow({row}, references, {6, kNotOwn}, kNotOwn)));
    }
}

TEST(the_search_stops_between_passes) {
    Random random(6);
    std::vector<double> references;
    for (std::size_t i = 0; i < 2000; ++i) references.push_back(uniform(random));
    const Values<double> rows(references);
    std::vector<std::int32_t> indices(2000);
    std::vector<double> squares(2000);
    int asked = 0;
    const Parallel parallel{1, [&] { return ++asked == 3; }};
    const std::string message = message_of<Interrupted>([&] {
        nearest_rows(rows_of(rows, 1), {references.data(), 2000, 1}, {1, kNotOwn},
                     {indices.data(), squares.data()}, parallel);
    });
    CHECK(message == "interrupted");
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
