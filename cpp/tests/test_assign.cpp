// The assignment step against brute force: every dtype, instruction set and number of threads, ties to the
// lowest.
#include <atomic>
#include <cmath>
#include <thread>
#include <utility>

#include "assign/assign.hpp"
#include "assign/assigner.hpp"
#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"
#include "systematic.hpp"

namespace kmosaic::testing {
namespace {

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

struct Case {
    std::vector<double> rows;
    std::vector<double> centers;
    std::size_t n_features;
};

// The same from an assigner that keeps bounds, before and after it has seen centroids elsewhere.
void check_again_and_again(const Rows& rows, const Centers& centers,
                           const std::vector<std::int32_t>& expected, const Parallel& parallel) {
    Assigner assigner(rows);
    std::vector<std::int32_t> labels(rows.n_rows, -1);
    std::vector<double> elsewhere(centers.data, centers.data + centers.n_clusters * centers.n_features);
    for (const double factor : {1.0, 1.01, 1.0, 0.5, 1.0, 1.0}) {
        for (std::size_t i = 0; i < elsewhere.size(); ++i) elsewhere[i] = centers.data[i] * factor;
        assigner.assign({elsewhere.data(), centers.n_clusters, centers.n_features}, labels.data(), parallel);
        if (factor == 1.0) CHECK(labels == expected);
    }
    if (!labels.empty()) labels[labels.size() / 2] = 0;  // someone else's doing
    assigner.assign(centers, labels.data(), parallel);
    CHECK(labels == expected);
}

// Labels equal brute force, and the number of changes is that of the labels.
void check_assign(const Rows& rows, const Centers& centers, const std::vector<std::int32_t>& expected) {
    const std::string what = context();
    // Few rows are one block, which is one thread's work however many there are.
    const std::vector<std::size_t> counts =
        rows.n_rows < 100 ? std::vector<std::size_t>{1, 3} : std::vector<std::size_t>{1, 2, 3, 7};
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for (const std::size_t n_threads : counts) {
            context() = what + " on " + name + ", " + std::to_string(n_threads) + " threads";
            std::vector<std::int32_t> labels(rows.n_rows, -1);
            CHECK(assign(rows, centers, labels.data(), threads(n_threads)) == rows.n_rows);
            CHECK(labels == expected);
            CHECK(assign(rows, centers, labels.data(), threads(n_threads)) == 0);
            check_again_and_again(rows, centers, expected, threads(n_threads));
        }
    }
    context() = what;
}

template <class T>
void check_case(const Case& c) {
    const Values<T> values(c.rows);
    const Values<double> centers(c.centers);
    const Rows rows = rows_of(values, c.n_features);
    const Centers view{centers.data(), centers.size() / c.n_features, c.n_features};
    const std::string what = context();
    context() += " " + name_of(dtype_of<T>()) + " n_features=" + std::to_string(c.n_features) +
                 " n_clusters=" + std::to_string(view.n_clusters);
    check_assign(rows, view, nearest_of_all(rows, view));
    context() = what;
}

template <class T>
Case random_case(std::size_t n_rows, std::size_t n_features, std::size_t n_clusters, Random& random) {
    Case c{{}, {}, n_features};
    for (std::size_t i = 0; i < n_rows * n_features; ++i)
        c.rows.push_back(static_cast<double>(any_value<T>(random)));
    for (std::size_t i = 0; i < n_clusters * n_features; ++i)
        c.centers.push_back(
            (static_cast<double>(any_value<T>(random)) + static_cast<double>(any_value<T>(random))) / 2.7);
    return c;
}

TEST(random_rows_of_every_number_of_features) {
    Random random(1);
    std::size_t n_clusters = 1;
    for (const std::size_t n_features : feature_counts()) {
        n_clusters = n_clusters % 50 + 7;
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            check_case<T>(random_case<T>(n_features > 100 ? 11 : 29, n_features, n_clusters, random));
        });
    }
}

TEST(random_rows_of_every_number_of_clusters) {
    Random random(2);
    for (std::size_t n_clusters = 1; n_clusters <= 50; ++n_clusters) {
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            check_case<T>(random_case<T>(33, n_clusters % 5 + 2, n_clusters, random));
        });
    }
}

TEST(many_blocks_of_rows) {
    Random random(3);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        check_case<T>(random_case<T>(9001, 3, 5, random));
    });
}

// Rows close round few centres, far from zero: distances are small beside the values.
TEST(clustered_rows_far_from_zero) {
    Random random(4);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        const std::size_t d = 9, k = 20;
        Case c{{}, {}, d};
        const double base = kIsInteger<T> ? kLargest<T> - 8 : 1e4;
        for (std::size_t i = 0; i < k * d; ++i) c.centers.push_back(base + 4 * uniform(random));
        for (std::size_t i = 0; i < 300 * d; ++i)
            c.rows.push_back(base + static_cast<double>(below(random, 8)));
        check_case<T>(c);
    });
}

TEST(duplicated_rows_and_centroids_go_to_the_lowest_index) {
    Random random(5);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        const std::size_t d = 17, k = 40;
        Case c = random_case<T>(200, d, k, random);
        for (std::size_t j = 5; j < k; ++j)
            std::copy_n(c.centers.begin() + static_cast<std::ptrdiff_t>((j % 5) * d), d,
                        c.centers.begin() + static_cast<std::ptrdiff_t>(j * d));
        for (std::size_t i = 100; i < 200; ++i)
            std::copy_n(c.centers.begin(), d, c.rows.begin() + static_cast<std::ptrdiff_t>(i * d));
        check_case<T>(c);
    });
}

TEST(constant_rows_and_equal_centroids) {
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        for (const double value : {0.0, 1.0, 200.0}) {
            Case c{std::vector<double>(50 * 6, value), std::vector<double>(20 * 6, value), 6};
            check_case<T>(c);
            c.centers.assign(20 * 6, 3.25);
            check_case<T>(c);
        }
    });
}

TEST(minus_zero_and_zero_centroids_tie) {
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        check_case<T>({std::vector<double>(8, 0.0), {5, 5, -0.0, 0.0, 0.0, 0.0, 0.0, -0.0}, 2});
    });
}

// Centroids at the corners x +- v: all equally far from x, and exactly so since all numbers are small and
// dyadic.
Case equidistant_case(std::size_t d, std::size_t k, Random& random) {
    Case c{{}, {}, d};
    for (std::size_t f = 0; f < d; ++f) c.rows.push_back(static_cast<double>(100 + below(random, 50)));
    for (std::size_t j = 0; j < k; ++j)
        for (std::size_t f = 0; f < d; ++f)
            c.centers.push_back(c.rows[f] +
                                std::ldexp(static_cast<double>(f % 7 + 1), -4) * (random() % 2 ? 1 : -1));
    return c;
}

TEST(equidistant_centroids_go_to_the_lowest_index) {
    Random random(6);
    for (const std::size_t d : {1U, 2U, 3U, 8U, 33U, 257U, 784U}) {
        for (const std::size_t k : {2U, 5U, 17U, 40U}) {
            const Case c = equidistant_case(d, k, random);
            for_each_dtype([&](auto zero) { check_case<decltype(zero)>(c); });
            const Values<double> rows(c.rows);
            CHECK(nearest(rows_of(rows, d), 0, {c.centers.data(), k, d}) == 0);
        }
    }
}

// Centroids that are permutations of one another are equally far from zero, though every sum of their squares
// rounds in its own way.
TEST(permuted_centroids_go_to_the_lowest_index) {
    Random random(13);
    for (const std::size_t d : {3U, 33U, 784U}) {
        std::vector<double> center(d);
        for (double& c : center) c = 10 * uniform(random);
        Case c{std::vector<double>(d, 0.0), {}, d};
        for (std::size_t j = 0; j < 20; ++j) {
            c.centers.insert(c.centers.end(), center.begin(), center.end());
            for (std::size_t f = d - 1; f > 0; --f) std::swap(center[f], center[below(random, f + 1)]);
        }
        for_each_dtype([&](auto zero) { check_case<decltype(zero)>(c); });
        const Values<double> rows(c.rows);
        CHECK(nearest(rows_of(rows, d), 0, {c.centers.data(), 20, d}) == 0);
    }
}

// One of the equidistant centroids is moved nearer by less than float32, and then less than float64, can see.
TEST(near_ties_below_float32_and_float64_are_decided) {
    Random random(7);
    for (const std::size_t d : {1U, 3U, 33U, 257U, 784U}) {
        for (const int exponent : {-10, -20, -30, -40}) {
            for (const std::size_t k : {2U, 23U}) {
                Case c = equidistant_case(d, k, random);
                const std::size_t winner = 1 + below(random, k - 1);
                const std::size_t feature = below(random, d);
                double& moved = c.centers[winner * d + feature];
                moved += std::ldexp(moved > c.rows[feature] ? -1.0 : 1.0, exponent);
                context() = "moved by 2^" + std::to_string(exponent);
                for_each_dtype([&](auto zero) { check_case<decltype(zero)>(c); });
                const Values<double> rows(c.rows);
                CHECK(nearest(rows_of(rows, d), 0, {c.centers.data(), k, d}) ==
                      static_cast<std::int32_t>(winner));
            }
        }
    }
}

// A centroid that is nearest by a hair, whose float32 product is too small by all that rounding can make it.
// Its mirror images keep the origin at zero.
Case systematic_case(std::size_t d, std::size_t chunk) {
    double excess = 0;
    std::vector<double> unlucky = rounding_one_way(d, chunk, true, &excess);
    std::vector<double> lucky(d, 0.75);
    const double last = (1 - unlucky[d - 1]) * (1 - unlucky[d - 1]) - 0.0625;
    const double owed = excess - last + 1e-9;
    unlucky[d - 1] = 1 - std::sqrt(0.0625 - owed);
    Case c{std::vector<double>(d, 1.0), {}, d};
    for (const double sign : {1.0, -1.0}) {
        for (const double value : lucky) c.centers.push_back(sign * value);
        for (const double value : unlucky) c.centers.push_back(sign * value);
    }
    return c;
}

TEST(a_winner_whose_product_rounds_down_at_every_addition_is_not_ruled_out) {
    for (const std::size_t d : {200U, 256U, 784U, 2000U, 5000U}) {
        for (const std::size_t chunk : {std::size_t{kFeatureChunk}, std::size_t{d}}) {
            const Case c = systematic_case(d, chunk);
            const Values<double> rows(c.rows);
            context() = "planted for chunks of " + std::to_string(chunk);
            CHECK(nearest(rows_of(rows, d), 0, {c.centers.data(), 4, d}) == 1);
            for_each_dtype([&](auto zero) { check_case<decltype(zero)>(c); });
        }
    }
}

TEST(values_beyond_the_range_of_float32_are_not_filtered) {
    Random random(8);
    for (const double size : {1e-310, 1e-200, 1e-30, 1e25, 1e60, 1e200, 1e307}) {
        Case c{{}, {}, 5};
        for (std::size_t i = 0; i < 40 * 5; ++i) c.rows.push_back(size * (2 * uniform(random) - 1));
        for (std::size_t i = 0; i < 16 * 5; ++i) c.centers.push_back(size * (2 * uniform(random) - 1));
        const Values<double> values(c.rows);
        const Rows rows = rows_of(values, 5);
        // Brute force in the wider range of Wide, on numbers brought near 1 by a power of two.
        const double scale = std::ldexp(1.0, -std::ilogb(size) / 2);
        for (double& x : c.rows) x = x * scale * scale;
        std::vector<double> scaled_centers;
        for (const double x : c.centers) scaled_centers.push_back(x * scale * scale);
        const Values<double> scaled(c.rows);
        context() = "values of size " + std::to_string(std::log10(size));
        check_assign(rows, {c.centers.data(), 16, 5},
                     nearest_of_all(rows_of(scaled, 5), {scaled_centers.data(), 16, 5}));
    }
}

TEST(integer_rows_and_centroids_beyond_the_range_of_float32) {
    Random random(9);
    Case c = random_case<std::uint8_t>(40, 4, 16, random);
    for (std::size_t j = 0; j < 16; j += 3) c.centers[j * 4 + j % 4] = j % 2 ? 1e39 : -1e200;
    check_case<std::uint8_t>(c);
    check_case<std::uint16_t>(c);
}

TEST(uint8_rows_at_every_alignment_have_the_same_labels) {
    Random random(10);
    const std::size_t d = 37, n = 50;
    const Case c = random_case<std::uint8_t>(n, d, 19, random);
    const Centers centers{c.centers.data(), 19, d};
    const Values<std::uint8_t> aligned(c.rows);
    const std::vector<std::int32_t> expected = nearest_of_all(rows_of(aligned, d), centers);
    for (std::size_t offset = 0; offset < 64; ++offset) {
        context() = "offset " + std::to_string(offset);
        std::vector<std::uint8_t> memory(n * d + offset);
        std::copy_n(aligned.data(), n * d, memory.data() + offset);
        std::vector<std::int32_t> labels(n, -1);
        assign({memory.data() + offset, kUint8, n, d, nullptr}, centers, labels.data(), threads(1));
        CHECK(labels == expected);
    }
}

TEST(an_interrupted_assignment_throws) {
    Random random(11);
    const Case c = random_case<std::uint8_t>(5000, 3, 4, random);
    const Values<std::uint8_t> values(c.rows);
    std::vector<std::int32_t> labels(5000, -1);
    const std::string message = message_of<Interrupted>([&] {
        assign(rows_of(values, 3), {c.centers.data(), 4, 3}, labels.data(), {1, [] { return true; }});
    });
    CHECK(message == "interrupted");
}

// Row groups differ between variants, and with them the padding of the buffers.
TEST(another_thread_may_select_another_variant_meanwhile) {
    Random random(12);
    const Case c = random_case<std::uint8_t>(4000, 70, 33, random);
    const Values<std::uint8_t> values(c.rows);
    const Rows rows = rows_of(values, 70);
    const Centers centers{c.centers.data(), 33, 70};
    const std::vector<std::int32_t> expected = nearest_of_all(rows, centers);
    std::atomic<bool> done{false};
    std::thread selector([&] {
        while (!done)
            for (const std::string& name : supported_variants()) select_kernels(name);
    });
    bool equal = true;
    for (int repeat = 0; repeat < 4; ++repeat) {
        std::vector<std::int32_t> labels(rows.n_rows, -1);
        assign(rows, centers, labels.data(), threads(3));
        equal = equal && labels == expected;
    }
    done = true;
    selector.join();
    CHECK(equal);
}

TEST(no_rows_is_no_work) {
    const std::vector<double> centers(6, 1.0);
    CHECK(assign({nullptr, kFloat32, 0, 3, nullptr}, {centers.data(), 2, 3}, nullptr, threads(3)) == 0);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
