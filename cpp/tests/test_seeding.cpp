// Seeding and the hash order against brute force, with the same bits on every instruction set and for all
// threads.
#include "seeding/kmeans_plus_plus.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "assign/assigner.hpp"
#include "check.hpp"
#include "core/hash_order.hpp"
#include "reference.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

struct Seeds {
    std::vector<std::size_t> rows;
    std::vector<double> gains, nearest;
    std::vector<std::int32_t> labels;

    bool operator==(const Seeds& o) const {
        return rows == o.rows && same_bits(gains, o.gains) && same_bits(nearest, o.nearest) &&
               labels == o.labels;
    }
};

std::vector<double> numbers_for(Random& random, std::size_t step) {
    std::vector<double> numbers(step == 0 ? 1 : 5);
    for (double& number : numbers) number = uniform(random);
    return numbers;
}

// As many seeds as there are distinct rows, at most k.
Seeds seed(const Rows& rows, std::size_t k, std::size_t n_threads, bool with_codes) {
    const HashOrder order = hash_order(rows, threads(n_threads));
    std::optional<Assigner> assigner;
    if (with_codes) assigner.emplace(rows);
    const std::optional<CodedRows> coded =
        assigner ? assigner->code_for_seeds(k, threads(n_threads)) : std::nullopt;
    Seeder seeder(rows, order.rows.data(), coded ? &*coded : nullptr);
    Random random(3);
    Seeds seeds;
    while (seeds.rows.size() < k) {
        const std::vector<std::size_t> drawn = seeder.draw(numbers_for(random, seeds.rows.size()));
        if (drawn.empty()) break;
        const std::vector<double> gains = seeder.gains(drawn, threads(n_threads));
        seeds.gains.insert(seeds.gains.end(), gains.begin(), gains.end());
        seeds.rows.push_back(seeder.add_best(drawn, threads(n_threads)));
    }
    seeds.nearest = seeder.nearest().squares;
    seeds.labels = seeder.nearest().seeds;
    return seeds;
}

// The same by brute force, for whole numbers and weights: every sum is exact.
Seeds slow_seeds(const Rows& rows, std::size_t k) {
    const std::vector<std::int64_t> order = hash_order(rows, threads(1)).rows;
    Random random(3);
    Seeds seeds{
        {}, {}, std::vector<double>(rows.n_rows, HUGE_VAL), std::vector<std::int32_t>(rows.n_rows, -1)};
    const auto square = [&](std::size_t i, std::size_t candidate) {
        std::vector<double> center(rows.n_features);
        for (std::size_t f = 0; f < rows.n_features; ++f) center[f] = value_at(rows, candidate, f);
        return squared_distance<double>(rows, i, center.data());
    };
    while (seeds.rows.size() < k) {
        const bool first = seeds.rows.empty();
        std::vector<double> cumulated;
        for (const std::int64_t row : order) {
            const auto i = static_cast<std::size_t>(row);
            const double mass = rows.weight(i) * (first ? 1 : seeds.nearest[i]);
            cumulated.push_back(mass + (cumulated.empty() ? 0 : cumulated.back()));
        }
        if (cumulated.back() == 0) break;
        std::size_t best = 0;
        double most = -HUGE_VAL;
        for (const double number : numbers_for(random, seeds.rows.size())) {
            const auto place =
                std::upper_bound(cumulated.begin(), cumulated.end(), number * cumulated.back());
            const auto candidate =
                static_cast<std::size_t>(order[static_cast<std::size_t>(place - cumulated.begin())]);
            double gain = 0;
            for (std::size_t i = 0; i < rows.n_rows; ++i)
                gain += rows.weight(i) * (first ? -square(i, candidate)
                                                : std::max(seeds.nearest[i] - square(i, candidate), 0.0));
            seeds.gains.push_back(gain);
            if (gain > most) {
                most = gain;
                best = candidate;
            }
        }
        for (std::size_t i = 0; i < rows.n_rows; ++i) {
            if (!(square(i, best) < seeds.nearest[i])) continue;
            seeds.nearest[i] = square(i, best);
            seeds.labels[i] = static_cast<std::int32_t>(seeds.rows.size());
        }
        seeds.rows.push_back(best);
    }
    return seeds;
}

std::vector<double> clustered(std::size_t n, std::size_t d, Random& random) {
    std::vector<double> values;
    for (std::size_t i = 0; i < n; ++i) {
        Random cluster(below(random, 6));
        for (std::size_t f = 0; f < d; ++f)
            values.push_back(static_cast<double>(7 + below(cluster, 100) + below(random, 21)));
    }
    return values;
}

TEST(the_seeds_of_brute_force_for_every_dtype_variant_and_number_of_threads) {
    Random random(1);
    struct Shape {
        std::size_t n, d, k;
    };
    for (const Shape& s : {Shape{1, 1, 3}, Shape{40, 2, 9}, Shape{1100, 3, 12}, Shape{600, 33, 10},
                           Shape{530, 70, 40}, Shape{60, 784, 5}, Shape{4200, 196, 4}, Shape{300, 1, 300},
                           Shape{400, 2, 400}, Shape{290, 17, 270}, Shape{200, 40, 150}}) {
        const std::vector<double> values = clustered(s.n, s.d, random);
        std::vector<double> weights(s.n);
        for (double& weight : weights) weight = static_cast<double>(below(random, 4) + (s.n == 1));
        for (const double* w :
             {static_cast<const double*>(nullptr), static_cast<const double*>(weights.data())}) {
            const Values<double> doubles(values);
            const Seeds expected = slow_seeds(rows_of(doubles, s.d, w), s.k);
            for_each_dtype([&](auto zero) {
                using T = decltype(zero);
                const Values<T> typed(values);
                for (const std::string& name : supported_variants()) {
                    select_kernels(name);
                    context() = name_of(dtype_of<T>()) + " " + name + " n_features=" + std::to_string(s.d);
                    CHECK(seed(rows_of(typed, s.d, w), s.k, 1, true) == expected);
                    CHECK(seed(rows_of(typed, s.d, w), s.k, 3, false) == expected);
                }
            });
        }
    }
}

TEST(pruning_changes_no_bit_of_real_rows) {
    Random random(2);
    for (const std::size_t d : {3U, 40U, 230U}) {
        std::vector<double> values = clustered(4300, d, random);
        std::vector<double> weights(4300);
        for (double& weight : weights) weight = uniform(random);
        for (double& x : values) x += uniform(random);
        values[5] = 1e6;  // beyond all codes
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            if constexpr (!kIsInteger<T>) {
                const Values<T> typed(values);
                const Rows rows = rows_of(typed, d, weights.data());
                select_kernels("scalar");
                const Seeds expected = seed(rows, 9, 1, false);
                for (const std::string& name : supported_variants()) {
                    select_kernels(name);
                    context() = name_of(dtype_of<T>()) + " " + name + " n_features=" + std::to_string(d);
                    CHECK(seed(rows, 9, 3, true) == expected);
                }
            }
        });
    }
}

TEST(numbers_map_to_rows_by_cumulated_mass) {
    const Values<std::uint8_t> values(std::vector<double>{0, 1, 2, 3, 4});
    const std::vector<double> weights{0, 2, 0, 6, 0};
    const std::vector<std::int64_t> order{4, 3, 2, 1, 0};
    const Seeder seeder(rows_of(values, 1, weights.data()), order.data(), nullptr);
    CHECK((seeder.draw({0.0, 0.74, 0.76, 1 - 0x1p-53}) == std::vector<std::size_t>{3, 3, 1, 1}));
    const std::vector<double> nothing(5, 0.0);
    const Seeder empty(rows_of(values, 1, nothing.data()), order.data(), nullptr);
    CHECK(empty.draw({0.5}).empty());
}

TEST(the_hash_order_sorts_by_hash_and_finds_runs) {
    Random random(4);
    for (const std::size_t n : {1U, 2U, 40U, 3000U, 70000U}) {
        Values<std::uint8_t> values(2 * n);
        for (std::size_t i = 0; i < 2 * n; ++i) values[i] = static_cast<std::uint8_t>(below(random, 40));
        const Rows rows = rows_of(values, 2);
        std::vector<std::uint64_t> hashes(n);
        hash_rows(rows, hashes.data(), threads(1));
        std::vector<std::int64_t> expected(n), starts;
        for (std::size_t i = 0; i < n; ++i) expected[i] = static_cast<std::int64_t>(i);
        const auto hash = [&](std::int64_t row) { return hashes[static_cast<std::size_t>(row)]; };
        std::stable_sort(expected.begin(), expected.end(),
                         [&](std::int64_t a, std::int64_t b) { return hash(a) < hash(b); });
        for (std::size_t i = 0; i < n; ++i)
            if (i == 0 || hash(expected[i]) != hash(expected[i - 1]))
                starts.push_back(static_cast<std::int64_t>(i));
        for (const std::size_t n_threads : {1U, 3U}) {
            const HashOrder order = hash_order(rows, threads(n_threads));
            CHECK(order.rows == expected);
            CHECK(order.starts == starts);
        }
    }
}

std::vector<std::uint64_t> hashes_of(const Rows& rows) {
    std::vector<std::uint64_t> hashes(rows.n_rows);
    hash_rows(rows, hashes.data(), threads(2));
    return hashes;
}

TEST(equal_rows_hash_alike_on_every_variant) {
    Random random(5);
    for (const std::size_t d : feature_counts()) {
        const std::vector<double> values = clustered(5, d, random);
        const Values<double> doubles(values);
        select_kernels("scalar");
        const std::vector<std::uint64_t> expected = hashes_of(rows_of(doubles, d));
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            const Values<T> typed(values);
            for (const std::string& name : supported_variants()) {
                select_kernels(name);
                context() = name_of(dtype_of<T>()) + " " + name + " n_features=" + std::to_string(d);
                CHECK(hashes_of(rows_of(typed, d)) == expected);
            }
        });
    }
}

TEST(minus_zero_hashes_as_zero_in_both_real_dtypes) {
    const std::vector<double> zeros{-0.0, 1, 0.0, 1, -0.0, 1};
    const Values<float> singles(zeros);
    const Values<double> doubles(zeros);
    const std::vector<std::uint64_t> hashes = hashes_of(rows_of(singles, 2));
    CHECK(hashes[0] == hashes[1] && hashes[1] == hashes[2]);
    CHECK(hashes == hashes_of(rows_of(doubles, 2)));
}

TEST(unlike_rows_hash_unlike) {
    // Every pair of small values in both orders, and tiny differences.
    std::vector<double> rows;
    for (int a = 0; a < 100; ++a)
        for (int b = 0; b < 100; ++b)
            rows.insert(rows.end(), {static_cast<double>(a), static_cast<double>(b)});
    for (const double x : {1 + 0x1p-52, 0x1p-1074, -1.0, 1e300}) rows.insert(rows.end(), {x, 0.0});
    const Values<double> values(rows);
    const std::vector<std::uint64_t> hashes = hashes_of(rows_of(values, 2));
    CHECK(std::set<std::uint64_t>(hashes.begin(), hashes.end()).size() == hashes.size());
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
