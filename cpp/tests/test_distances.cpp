// Squared distances: right, and the same bits whatever runs them.
#include "exact/distances.hpp"

#include <cmath>

#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

// Whole numbers that every dtype holds, and centroids with all their bits in use.
struct Numbers {
    std::vector<double> rows, centers;
    std::vector<std::int32_t> labels;
    std::size_t n, k, d;
};

Numbers numbers(std::size_t n, std::size_t k, std::size_t d, Random& random) {
    Numbers c{{}, {}, {}, n, k, d};
    for (std::size_t i = 0; i < n * d; ++i) c.rows.push_back(static_cast<double>(below(random, 128)));
    for (std::size_t i = 0; i < k * d; ++i) c.centers.push_back(128 * uniform(random));
    for (std::size_t i = 0; i < n; ++i) c.labels.push_back(static_cast<std::int32_t>(below(random, k)));
    return c;
}

struct Results {
    std::vector<double> matrix, own;

    bool operator==(const Results& o) const { return same_bits(matrix, o.matrix) && same_bits(own, o.own); }
};

Results measure(const Rows& rows, const Numbers& c, std::size_t n_threads) {
    const Centers centers{c.centers.data(), c.k, c.d};
    Results r{std::vector<double>(c.n * c.k, -1), std::vector<double>(c.n, -1)};
    squared_distances(rows, centers, r.matrix.data(), threads(n_threads));
    own_squared_distances(rows, centers, c.labels.data(), r.own.data(), threads(n_threads));
    return r;
}

void check_right(const Rows& rows, const Numbers& c, const Results& r) {
    const double relative = static_cast<double>(c.d + 4) * 0x1p-53;
    bool right = true;
    const auto close = [&](double value, Wide exact) { return absolute(value - exact) <= relative * exact; };
    for (std::size_t i = 0; i < c.n; ++i) {
        for (std::size_t j = 0; j < c.k; ++j) {
            const Wide exact = squared_distance<Wide>(rows, i, c.centers.data() + j * c.d);
            right = right && close(r.matrix[i * c.k + j], exact);
            if (static_cast<std::int32_t>(j) == c.labels[i]) right = right && close(r.own[i], exact);
        }
    }
    CHECK(right);
}

TEST(the_same_bits_for_every_dtype_variant_and_number_of_threads) {
    Random random(1);
    struct Shape {
        std::size_t n, k, d;
    };
    for (const Shape& s : {Shape{1, 1, 1}, Shape{40, 3, 2}, Shape{30, 9, 17}, Shape{1300, 8, 3},
                           Shape{20, 17, 784}, Shape{9, 5, 1000}, Shape{3, 2, 20000}}) {
        const Numbers c = numbers(s.n, s.k, s.d, random);
        const Values<double> doubles(c.rows);
        const Rows reference = rows_of(doubles, s.d);
        select_kernels("scalar");
        const Results expected = measure(reference, c, 1);
        context() = "n_features=" + std::to_string(s.d);
        check_right(reference, c, expected);
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            const Values<T> values(c.rows);
            for (const std::string& name : supported_variants()) {
                select_kernels(name);
                for (const std::size_t n_threads : {1U, 2U, 3U, 7U}) {
                    context() = name_of(dtype_of<T>()) + " " + name + " n_features=" + std::to_string(s.d);
                    CHECK(measure(rows_of(values, s.d), c, n_threads) == expected);
                }
            }
        });
    }
}

TEST(real_rows_have_right_distances) {
    Random random(2);
    Numbers c = numbers(100, 9, 33, random);
    for (double& x : c.rows) x = std::ldexp(x - 128.3, static_cast<int>(below(random, 20)));
    const Values<double> values(c.rows);
    check_right(rows_of(values, 33), c, measure(rows_of(values, 33), c, 1));
}

TEST(distances_stop_amid_a_block_of_long_rows) {
    Random random(4);
    const Numbers c = numbers(40, 1, 5000, random);  // 8 such rows a step, all in one block
    const Values<double> values(c.rows);
    std::vector<double> out(c.n, -1);
    int asked = 0;
    const Parallel parallel{1, [&] { return ++asked == 3; }};
    const std::string message = message_of<Interrupted>(
        [&] { squared_distances(rows_of(values, c.d), {c.centers.data(), 1, c.d}, out.data(), parallel); });
    CHECK(message == "interrupted");
    CHECK(out.front() >= 0 && out.back() == -1);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
