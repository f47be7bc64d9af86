// ClusterSums: exact sums, merging, moving rows, correctly rounded means, and a J that never rises.
#include "update/cluster_sums.hpp"

#include <cmath>
#include <stdexcept>

#include "assign/assign.hpp"
#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"
#include "sums.hpp"

namespace kmosaic::testing {
namespace {

Rows some(const Rows& rows, std::size_t first, std::size_t n) {
    return {rows.row(first),
            rows.dtype,
            n,
            rows.n_features,
            rows.weights ? rows.weights + first : nullptr,
            rows.counts ? rows.counts + first : nullptr};
}

void check_means(const Rows& rows, std::size_t k, const std::vector<std::int32_t>& labels) {
    std::vector<Wide> totals(k * rows.n_features, 0), counts(k, 0);
    for (std::size_t i = 0; i < rows.n_rows; ++i) {
        const auto j = static_cast<std::size_t>(labels[i]);
        counts[j] += rows.weight(i);
        for (std::size_t f = 0; f < rows.n_features; ++f)
            totals[j * rows.n_features + f] += static_cast<Wide>(rows.weight(i)) * value_at(rows, i, f);
    }
    const ClusterSums sums = sums_of(rows, k, labels, 2);
    std::vector<double> means(k * rows.n_features, -7.0);
    sums.means(means.data());
    for (std::size_t j = 0; j < k; ++j) {
        CHECK(sums.count(j) == static_cast<double>(counts[j]));
        for (std::size_t f = 0; f < rows.n_features; ++f) {
            const std::size_t i = j * rows.n_features + f;
            CHECK(counts[j] > 0 ? correctly_rounded(means[i], totals[i], counts[j]) : means[i] == -7.0);
        }
    }
    const Centers centers{means.data(), k, rows.n_features};
    const Wide exact = inertia(rows, labels, centers);
    CHECK(absolute(sums.inertia(centers).value - exact) <= exact * static_cast<Wide>(0x1p-52));
    std::vector<double> moved(k * rows.n_features, -7.0);
    const Inertia after = sums.update(moved.data(), threads(2));
    const Inertia there = sums.inertia(centers);
    CHECK(moved == means && after.value == there.value && after.error == there.error);
}

TEST(means_are_correctly_rounded_and_inertia_is_that_of_brute_force) {
    Random random(1);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        for (const std::size_t d : {1U, 3U, 16U, 40U, 257U}) {
            Values<T> values(60 * d);
            fill_any(values, random);
            std::vector<double> weights(60);
            for (double& w : weights) w = below(random, 5) ? std::rint(100 * uniform(random)) / 64 : 0;
            for (const double* w :
                 {static_cast<const double*>(nullptr), static_cast<const double*>(weights.data())}) {
                context() =
                    name_of(dtype_of<T>()) + " n_features=" + std::to_string(d) + (w ? " weighted" : "");
                check_means(rows_of(values, d, w), 7, random_labels(60, 7, random));
                check_means(rows_of(values, d, w), 100,
                            random_labels(60, 100, random));  // most clusters empty
            }
        }
    });
}

TEST(the_same_bits_for_every_variant_and_number_of_threads) {
    Random random(2);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        const std::size_t n = 9000, d = 5;  // more than two blocks of add_squares
        Values<T> values(n * d);
        fill_any(values, random);
        std::vector<double> weights(n);
        for (double& w : weights) w = uniform(random);
        const std::vector<std::int32_t> labels = random_labels(n, 11, random);
        for (const double* w :
             {static_cast<const double*>(nullptr), static_cast<const double*>(weights.data())}) {
            const Rows rows = rows_of(values, d, w);
            select_kernels("scalar");
            const std::vector<double> expected = facts(sums_of(rows, 11, labels, 1));
            for (const std::string& name : supported_variants()) {
                select_kernels(name);
                for (const std::size_t n_threads : {1U, 2U, 3U, 7U, 40U}) {
                    context() =
                        name_of(rows.dtype) + " " + name + ", " + std::to_string(n_threads) + " threads";
                    CHECK(same_bits(facts(sums_of(rows, 11, labels, n_threads)), expected));
                }
            }
        }
    });
}

// Small multiples of 2^-10, whose sums are exact in double-double: any order must give the same bits.
template <class T>
void fill_exact(Values<T>& values, Random& random) {
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = kIsInteger<T> ? any_value<T>(random)
                                  : static_cast<T>((static_cast<double>(below(random, 4096)) - 2048) / 1024);
}

TEST(merged_splits_equal_the_whole) {
    Random random(3);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        const std::size_t n = 500, d = 13, k = 6;
        Values<T> values(n * d);
        fill_exact(values, random);
        const std::vector<std::int32_t> labels = random_labels(n, k, random);
        const Rows rows = rows_of(values, d);
        const std::vector<double> whole = facts(sums_of(rows, k, labels, 1));
        for (const std::size_t split : {0U, 1U, 250U, 499U, 500U}) {
            context() = name_of(rows.dtype) + " split at " + std::to_string(split);
            ClusterSums first = empty_sums(rows, k), second = empty_sums(rows, k);
            first.add(some(rows, 0, split), labels.data(), threads(1));
            first.add_squares(some(rows, 0, split), threads(1));
            second.add(some(rows, split, n - split), labels.data() + split, threads(3));
            second.add_squares(some(rows, split, n - split), threads(3));
            second.merge(first);  // the later rows first
            CHECK(same_bits(facts(second), whole));
        }
    });
}

TEST(unlike_partials_do_not_merge) {
    const std::vector<double> zeros = {0, 0}, ones = {1};
    ClusterSums sums(3, 2);
    for (const ClusterSums& other : {ClusterSums(2, 2), ClusterSums(3, 1), ClusterSums(3, zeros, ones)})
        CHECK(!message_of<std::invalid_argument>([&] { sums.merge(other); }).empty());
    ClusterSums real(3, zeros, ones);
    for (const ClusterSums& other :
         {ClusterSums(3, {0, 1}, ones), ClusterSums(3, zeros, {0.5}), ClusterSums(3, zeros, ones, ones)})
        CHECK(!message_of<std::invalid_argument>([&] { real.merge(other); }).empty());
}

TEST(moving_rows_equals_adding_them_where_they_went) {
    Random random(4);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        const std::size_t n = 80, d = 9, k = 5;
        Values<T> values(n * d);
        fill_exact(values, random);
        std::vector<double> weights(n);
        for (double& w : weights) w = static_cast<double>(below(random, 9)) / 4;
        for (const double* w :
             {static_cast<const double*>(nullptr), static_cast<const double*>(weights.data())}) {
            const Rows rows = rows_of(values, d, w);
            std::vector<std::int32_t> labels = random_labels(n, k, random);
            ClusterSums sums = sums_of(rows, k, labels, 2);
            for (std::size_t i = 0; i < n; i += 3) {
                const std::size_t to = below(random, k);
                sums.move(rows, i, static_cast<std::size_t>(labels[i]), to);
                labels[i] = static_cast<std::int32_t>(to);
            }
            context() = name_of(rows.dtype) + (w ? " weighted" : "");
            CHECK(same_bits(facts(sums), facts(sums_of(rows, k, labels, 1))));
        }
    });
}

template <class T>
void check_repeated(std::size_t d, std::size_t k, Random& random) {
    const std::size_t n = 50;
    Values<T> values(n * d);
    fill_any(values, random);
    std::vector<double> weights, repeated;
    std::vector<std::uint32_t> counts;
    std::vector<std::int32_t> labels = random_labels(n, k, random), repeated_labels;
    for (std::size_t i = 0; i < n; ++i) {
        weights.push_back(static_cast<double>(i % 4));
        counts.push_back(static_cast<std::uint32_t>(i % 4));
        for (std::size_t r = 0; r < i % 4; ++r) {
            for (std::size_t f = 0; f < d; ++f) repeated.push_back(values[i * d + f]);
            repeated_labels.push_back(labels[i]);
        }
    }
    const Values<T> more(repeated);
    const std::vector<double> expected = facts(sums_of(rows_of(more, d), k, repeated_labels, 1));
    CHECK(same_bits(facts(sums_of(rows_of(values, d, weights.data()), k, labels, 1)), expected));
    Rows counted = rows_of(values, d);
    counted.counts = counts.data();
    CHECK(same_bits(facts(sums_of(counted, k, labels, 2)), expected));
}

TEST(whole_weights_and_counts_equal_repeated_rows) {
    Random random(5);
    for (const std::size_t d : {1U, 7U, 20U, 3000U}) {  // the last has more sums than a small table
        context() = "n_features=" + std::to_string(d);
        check_repeated<std::uint8_t>(d, 3, random);
        check_repeated<std::uint16_t>(d, 3, random);
    }
}

TEST(the_largest_counts_do_not_overflow) {
    const Values<std::uint16_t> values({65535, 65535, 65535, 0});
    const std::vector<std::uint32_t> counts = {UINT32_MAX, UINT32_MAX};
    Rows rows = rows_of(values, 2);
    rows.counts = counts.data();
    const ClusterSums sums = sums_of(rows, 1, {0, 0}, 1);
    std::vector<double> centers(2, 0.0);
    const Centers view{centers.data(), 1, 2};
    CHECK(sums.count(0) == 2.0 * UINT32_MAX);
    CHECK(sums.inertia(view).value ==
          static_cast<double>(static_cast<Wide>(3.0 * UINT32_MAX) * 65535 * 65535));
    sums.means(centers.data());
    CHECK(centers == std::vector<double>({65535, 32767.5}));
    CHECK(sums.inertia(view).value == UINT32_MAX * 2.0 * 32767.5 * 32767.5);
}

TEST(moving_a_counted_row_moves_one_of_the_rows_it_stands_for) {
    const Values<std::uint8_t> values({10, 20, 30}), repeated({10, 20, 20, 20, 30});
    const std::vector<std::uint32_t> counts = {1, 3, 1};
    Rows rows = rows_of(values, 1);
    rows.counts = counts.data();
    ClusterSums sums = sums_of(rows, 2, {0, 0, 0}, 1);
    sums.move(rows, 1, 0, 1);
    CHECK(same_bits(facts(sums), facts(sums_of(rows_of(repeated, 1), 2, {0, 1, 0, 0, 0}, 1))));
}

TEST(adding_stops_amid_the_rows) {
    const std::size_t n = 50000;
    const Values<std::uint8_t> values(n);
    const std::vector<double> weights(n, 0.5);
    const std::vector<std::int32_t> labels(n, 0);
    ClusterSums sums = empty_sums(rows_of(values, 1, weights.data()), 1);
    int asked = 0;
    const Parallel parallel{1, [&] { return ++asked == 3; }};
    CHECK(!message_of<Interrupted>([&] {
               sums.add(rows_of(values, 1, weights.data()), labels.data(), parallel);
           }).empty());
}

TEST(a_cluster_outweighs_its_rows_but_the_last) {
    const Values<double> values({1, 1, 1});
    const std::vector<double> weights = {1e90, 0.1, 1e-90};
    const Rows rows = rows_of(values, 1, weights.data());
    ClusterSums sums = sums_of(rows, 2, {0, 0, 0}, 1);
    for (const std::size_t row : {0U, 1U, 2U}) {
        CHECK(sums.outweighs(0, weights[row]) == (row < 2));
        CHECK(sums.outweighs(1, 0) == (row > 0));
        sums.move(rows, row, 0, 1);
    }
    CHECK(sums.count(0) == 0 && sums.count(1) == 1e90);
}

TEST(a_mean_of_the_least_numbers_is_rounded_once) {
    const double least = 0x1p-1074;
    for (const std::vector<double>& numbers : {std::vector<double>{1, 2},
                                               {1, 2, 2, 2},
                                               {3, 4},
                                               {1, 1, 2},
                                               {-1, -2},
                                               {0x1p60, 1},
                                               {0x1p52, 0x1p52 + 1}}) {
        Values<double> values(numbers);
        Wide sum = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            sum += static_cast<Wide>(values[i]);
            values[i] *= least;
        }
        double mean = 0;
        sums_of(rows_of(values, 1), 1, std::vector<std::int32_t>(values.size(), 0), 1).means(&mean);
        const Wide exact = sum / static_cast<Wide>(static_cast<double>(values.size()));
        const double nearest =
            std::nearbyint(static_cast<double>(exact)) * least;  // numbers below 2^53 or whole
        CHECK(mean == nearest);
    }
}

TEST(clear_forgets_all_but_the_squares) {
    Random random(6);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        Values<T> values(40 * 3);
        fill_any(values, random);
        const Rows rows = rows_of(values, 3);
        const std::vector<std::int32_t> before = random_labels(40, 4, random),
                                        after = random_labels(40, 4, random);
        ClusterSums sums = sums_of(rows, 4, before, 1);
        sums.clear();
        for (std::size_t j = 0; j < 4; ++j) CHECK(sums.count(j) == 0);
        sums.add(rows, after.data(), threads(1));
        CHECK(same_bits(facts(sums), facts(sums_of(rows, 4, after, 1))));
        ClusterSums emptied = sums.emptied(6);
        emptied.add(rows, after.data(), threads(1));
        CHECK(same_bits(facts(emptied), facts(sums_of(rows, 6, after, 1))));
    });
}

// Lloyd's iterations from k of the rows; J must be brute force's and must not rise at either step.
void check_lloyd(const Rows& rows, std::size_t k, Random& random) {
    const std::size_t d = rows.n_features;
    std::vector<double> centers(k * d);
    for (std::size_t j = 0; j < k; ++j) {
        const std::size_t i = below(random, rows.n_rows);
        for (std::size_t f = 0; f < d; ++f) centers[j * d + f] = value_at(rows, i, f);
    }
    const Centers view{centers.data(), k, d};
    std::vector<std::int32_t> labels(rows.n_rows, -1);
    ClusterSums sums = empty_sums(rows, k);
    sums.add_squares(rows, threads(2));
    double last = HUGE_VAL;
    for (int iteration = 0; iteration < 30; ++iteration) {
        const std::size_t changed = assign(rows, view, labels.data(), threads(2));
        sums.clear();
        sums.add(rows, labels.data(), threads(2));
        for (int step = 0; step < 2; ++step) {
            if (step == 1) sums.means(centers.data());
            const double now = sums.inertia(view).value;
            CHECK(now >= 0 && now <= last);
            const Wide exact = inertia(rows, labels, view);
            CHECK(absolute(now - exact) <= exact * static_cast<Wide>(0x1p-52) + static_cast<Wide>(1e-20));
            last = now;
        }
        if (changed == 0) break;
    }
}

TEST(inertia_never_rises_and_is_that_of_brute_force) {
    Random random(7);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        for (const std::size_t d : {1U, 2U, 8U}) {
            for (const std::size_t kinds : {0U, 1U, 7U}) {  // all rows unlike, all alike, seven kinds of rows
                Values<T> values(150 * d);
                fill_any(values, random);
                for (std::size_t i = 0; kinds > 0 && i < values.size(); ++i)
                    values[i] = values[i % (kinds * d)];
                context() = name_of(dtype_of<T>()) + " n_features=" + std::to_string(d) +
                            " kinds=" + std::to_string(kinds);
                for (const std::size_t k : {1U, 3U, 12U}) check_lloyd(rows_of(values, d), k, random);
            }
        }
    });
}

TEST(real_rows_far_from_zero_keep_the_digits_of_their_inertia) {
    Random random(8);
    Values<double> values(200 * 3);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = (i % 3 == 1 ? -1e12 : 1e12) + uniform(random);
    check_lloyd(rows_of(values, 3), 4, random);
}

template <class T>
void check_extreme(std::size_t n, std::size_t d, double extreme) {
    Values<T> values(n * d);
    std::fill_n(values.data(), values.size(), static_cast<T>(extreme));
    const std::vector<std::int32_t> labels(n, 0);
    const std::size_t k = d > 1024 ? 8 : 1;
    const ClusterSums sums = sums_of(rows_of(values, d), k, labels, 2);
    std::vector<double> centers(k * d, 0.0);
    const Centers view{centers.data(), k, d};
    CHECK(sums.inertia(view).value == extreme * extreme * static_cast<double>(n * d));
    sums.means(centers.data());
    CHECK(std::vector<double>(centers.begin(), centers.begin() + static_cast<std::ptrdiff_t>(d)) ==
          std::vector<double>(d, extreme));
    CHECK(sums.inertia(view).value == 0);
}

template <class T>
void check_largest(std::size_t n, std::size_t d) {
    check_extreme<T>(n, d, kLargest<T>);
}

TEST(the_largest_integers_do_not_overflow) {
    for (const double extreme : {kLargest<std::int16_t>, kLeast<std::int16_t>}) {
        check_extreme<std::int16_t>(200000, 2, extreme);
        check_extreme<std::int16_t>(40, 5000, extreme);
    }
    check_extreme<std::int8_t>(200000, 2, kLeast<std::int8_t>);
    check_largest<std::uint8_t>(200000, 2);
    check_largest<std::uint16_t>(200000, 2);
    check_largest<std::uint8_t>(40, 5000);
    check_largest<std::uint16_t>(40, 5000);
}

TEST(sixteen_million_rows_in_one_cluster) {
    check_largest<std::uint8_t>((1 << 24) + 3, 1);
    check_largest<std::uint16_t>((1 << 24) + 3, 1);
    check_largest<std::uint8_t>((1 << 14) + 3, 1025);  // more sums than a small table, of eight clusters
}

TEST(an_exact_origin_takes_values_away_exactly) {
    const std::vector<double> low = {1, 1, 0, -2, -3, -1, 0.1, 5};
    const std::vector<double> high = {2, 2.1, 1, -1, -1, 1, 0.1, 5};
    CHECK(exact_origin(low, high) == std::vector<double>({1, 0, 0, -1, 0, 0, 0.1, 5}));
    Random random(9);
    bool exact = true;
    for (int i = 0; i < 10000; ++i) {
        const double least = (random() % 2 ? 1 : -1) *
                             std::ldexp(1 + uniform(random), static_cast<int>(below(random, 60)) - 30);
        const double x = least * (1 + uniform(random));
        const double origin = exact_origin({std::min(least, x)}, {std::max(least, x)})[0];
        exact = exact && origin == least &&
                static_cast<Wide>(x) - static_cast<Wide>(origin) == static_cast<Wide>(x - origin);
    }
    CHECK(exact);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
