// The nearest of each row's own centroids, and ways down a tree: exact, whatever runs them.
#include "exact/nearest_within.hpp"

#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

// Rows and centroids on a coarse grid, so that many are equally near.
struct Grid {
    std::vector<double> rows, centers;
    std::vector<std::int32_t> first, count;
    std::size_t n, k, d;
};

Grid grid(std::size_t n, std::size_t k, std::size_t d, Random& random) {
    Grid g{{}, {}, {}, {}, n, k, d};
    for (std::size_t i = 0; i < n * d; ++i) g.rows.push_back(static_cast<double>(below(random, 4)));
    for (std::size_t i = 0; i < k * d; ++i) g.centers.push_back(static_cast<double>(below(random, 4)));
    for (std::size_t i = 0; i < n; ++i) {
        g.first.push_back(static_cast<std::int32_t>(below(random, k)));
        g.count.push_back(
            1 + static_cast<std::int32_t>(below(random, k - static_cast<std::size_t>(g.first.back()))));
    }
    return g;
}

// By whole numbers, whose squares are exact.
std::int32_t slow(const Grid& g, std::size_t row, std::int32_t first, std::int32_t count) {
    std::int32_t nearest = first;
    double least = -1;
    for (std::int32_t j = first; j < first + count; ++j) {
        double square = 0;
        for (std::size_t f = 0; f < g.d; ++f) {
            const double difference =
                g.rows[row * g.d + f] - g.centers[static_cast<std::size_t>(j) * g.d + f];
            square += difference * difference;
        }
        if (least < 0 || square < least) {
            least = square;
            nearest = j;
        }
    }
    return nearest;
}

TEST(the_nearest_of_its_own_centroids_for_every_dtype_variant_and_number_of_threads) {
    Random random(1);
    for (const std::size_t d : {1U, 2U, 17U, 100U}) {
        const Grid g = grid(1300, 9, d, random);
        std::vector<std::int32_t> expected;
        for (std::size_t i = 0; i < g.n; ++i) expected.push_back(slow(g, i, g.first[i], g.count[i]));
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            const Values<T> values(g.rows);
            for (const std::string& name : supported_variants()) {
                select_kernels(name);
                for (const std::size_t n_threads : {1U, 3U}) {
                    context() = name_of(dtype_of<T>()) + " " + name + " n_features=" + std::to_string(d);
                    std::vector<std::int32_t> labels(g.n, -1);
                    const Rows rows = rows_of(values, d);
                    const Centers centers{g.centers.data(), g.k, d};
                    const auto step = [&] {
                        return nearest_within(rows, centers, g.first.data(), g.count.data(), labels.data(),
                                              threads(n_threads));
                    };
                    CHECK(step() == g.n);
                    CHECK(labels == expected);
                    CHECK(step() == 0);
                }
            }
        });
    }
}

// Two centroids that float64 cannot tell apart: the farther one comes first.
TEST(what_rounding_hides_is_decided_exactly) {
    const std::vector<double> centers = {1.0 + 0x1p-52, 1.0, -1.0};
    const Values<double> row(std::vector<double>{-0x1p-60});
    std::int32_t label = 0;
    const std::int32_t first = 0, count = 3;
    nearest_within(rows_of(row, 1), {centers.data(), 3, 1}, &first, &count, &label, threads(1));
    CHECK(label == 2);
    const std::int32_t two = 2;
    nearest_within(rows_of(row, 1), {centers.data(), 3, 1}, &first, &two, &label, threads(1));
    CHECK(label == 1);
}

TEST(rows_go_down_to_a_leaf) {
    Random random(2);
    // Node 0 has 1 .. 3, node 2 has 4 and 5, node 5 has 6 .. 8.
    const std::vector<std::int32_t> first = {1, 0, 4, 0, 0, 6, 0, 0, 0}, count = {3, 0, 2, 0, 0, 3, 0, 0, 0};
    const Grid g = grid(700, first.size(), 17, random);
    const Values<float> values(g.rows);
    std::vector<std::int32_t> leaves(g.n, -1);
    descend(rows_of(values, g.d), {g.centers.data(), g.k, g.d}, first.data(), count.data(), leaves.data(),
            threads(2));
    bool right = true, deep = false;
    for (std::size_t i = 0; i < g.n; ++i) {
        std::int32_t node = 0;
        while (count[static_cast<std::size_t>(node)] > 0) {
            const auto at = static_cast<std::size_t>(node);
            node = slow(g, i, first[at], count[at]);
        }
        right = right && leaves[i] == node;
        deep = deep || node > 5;
    }
    CHECK(right);
    CHECK(deep);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
