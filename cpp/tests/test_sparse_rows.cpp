// Sparse rows, and rows that come in parts, against the same rows in one array: every bit the same.
#include "core/sparse_rows.hpp"

#include <memory>

#include "assign/assign.hpp"
#include "assign/sparse_assigner.hpp"
#include "check.hpp"
#include "core/hash_order.hpp"
#include "samples.hpp"
#include "seeding/kmeans_plus_plus.hpp"
#include "update/cluster_sums.hpp"
#include "update/slice_spacings.hpp"
#include "update/square_sums.hpp"

namespace kmosaic::testing {
namespace {

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

// Rows with their zeros, and without them.
struct Sample {
    Values<double> dense, values, weights;
    Values<std::int32_t> columns;
    Values<std::int64_t> starts;
    std::size_t d;
    bool weighted;

    [[nodiscard]] Rows rows() const { return rows_of(dense, d, weighted ? weights.data() : nullptr); }
    [[nodiscard]] SparseRows sparse() const {
        return {values.data(),
                columns.data(),
                starts.data(),
                starts.size() - 1,
                d,
                weighted ? weights.data() : nullptr};
    }
};

std::unique_ptr<Sample> sample(std::size_t n, std::size_t d, double share, bool weighted, Random& random) {
    std::vector<double> dense, values, columns, starts{0}, weights;
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t f = 0; f < d; ++f) {
            // The first feature is 0 nowhere, and has an origin.
            const bool kept = f == 0 || uniform(random) < share;
            dense.push_back(kept ? 100 + 20 * uniform(random) : 0);
            if (!kept) continue;
            values.push_back(dense.back());
            columns.push_back(static_cast<double>(f));
        }
        starts.push_back(static_cast<double>(values.size()));
        weights.push_back(0.25 + uniform(random));
    }
    return std::unique_ptr<Sample>(new Sample{Values<double>(dense), Values<double>(values),
                                              Values<double>(weights), Values<std::int32_t>(columns),
                                              Values<std::int64_t>(starts), d, weighted});
}

Rows part_of(const Rows& rows, std::size_t first, std::size_t n) {
    return {rows.row(first), rows.dtype, n, rows.n_features, rows.weights ? rows.weights + first : nullptr};
}

// Calls visit(part, first) for parts of uneven sizes.
template <class Visit>
void for_parts(const Rows& rows, Random& random, Visit visit) {
    for (std::size_t first = 0; first < rows.n_rows;) {
        const std::size_t n = std::min(rows.n_rows - first, 1 + below(random, rows.n_rows / 2));
        visit(part_of(rows, first, n), first);
        first += n;
    }
}

ClusterSums empty_sums(const Rows& rows) {
    const ValueRange range = range_of_reals(rows, threads(1));
    const std::vector<double> origin = exact_origin(range.low, range.high);
    if (!rows.weights) return {4, origin, slice_spacings(rows, origin, range, threads(1))};
    const WeightedSpacings spacings = weighted_spacings(rows, origin, range, threads(1));
    return {4, origin, spacings.sums, spacings.weights};
}

bool equal(const ClusterSums& a, const ClusterSums& b) {
    return a.equal_sums(b) && a.state().squares == b.state().squares;
}

void check_sums(const Sample& s, const std::vector<std::int32_t>& labels, Random& random) {
    const Rows rows = s.rows();
    ClusterSums whole = empty_sums(rows), sparse = whole, parts = whole;
    whole.add_squares(rows, threads(3));
    whole.add(rows, labels.data(), threads(3));
    SquaresInParts of_parts(parts), of_sparse(sparse);
    for_parts(rows, random, [&](const Rows& part, std::size_t) { of_parts.add(part, threads(2)); });
    of_parts.finish();
    of_sparse.add(s.sparse(), threads(2));
    of_sparse.finish();
    std::vector<std::int32_t> before(labels.size(), -1), between(labels.size());
    for (std::int32_t& label : between) label = static_cast<std::int32_t>(below(random, 4));
    sparse.move(s.sparse(), before.data(), between.data(), threads(1));
    sparse.move(s.sparse(), between.data(), labels.data(), threads(1));
    CHECK(equal(sparse, whole));
    CHECK(parts.state().squares == whole.state().squares);
}

void check_labels(const Sample& s, const std::vector<double>& centers, std::vector<std::int32_t>& labels) {
    const Centers c{centers.data(), centers.size() / s.d, s.d};
    std::vector<std::int32_t> expected(labels.size(), -1);
    assign(s.rows(), c, LabelArray(expected.data()), threads(2), nullptr, nullptr);
    for (const std::size_t n : {1, 3}) {
        std::fill(labels.begin(), labels.end(), -1);
        CHECK(assign(s.sparse(), c, labels.data(), threads(n)) == labels.size());
        CHECK(labels == expected);
        CHECK(assign(s.sparse(), c, labels.data(), threads(n)) == 0);
    }
}

std::size_t add_best_in_parts(Seeder& seeder, const Rows& rows, const std::vector<std::size_t>& drawn,
                              Random& random) {
    std::vector<double> values;
    for (const std::size_t row : drawn) {
        const auto* x = static_cast<const double*>(rows.row(row));
        values.insert(values.end(), x, x + rows.n_features);
    }
    seeder.begin(values, threads(2));
    for_parts(rows, random,
              [&](const Rows& part, std::size_t first) { seeder.find(part, first, threads(2)); });
    const std::size_t best = drawn[seeder.best()];
    if (!seeder.complete())
        for_parts(rows, random,
                  [&](const Rows& part, std::size_t first) { seeder.lower(part, first, threads(2)); });
    seeder.accept(threads(2));
    return best;
}

std::vector<double> check_seeds(const Sample& s, std::size_t k, Random& random) {
    const Rows rows = s.rows();
    std::vector<std::uint64_t> hashes(rows.n_rows);
    hash_rows(s.sparse(), hashes.data(), threads(2));
    const HashOrder order = hash_order(rows, threads(2));
    CHECK(order_of(hashes, threads(2)).rows == order.rows);
    Seeder dense(rows, order.rows.data(), nullptr), sparse(s.sparse(), order.rows.data());
    const auto parts =
        Seeder::of_parts({nullptr, kFloat64, rows.n_rows, s.d, rows.weights}, order.rows.data());
    std::vector<double> seeds;
    for (std::size_t i = 0; i < k; ++i) {
        std::vector<double> numbers(i == 0 ? 1 : 2 + below(random, 9));
        for (double& number : numbers) number = uniform(random);
        const std::vector<std::size_t> drawn = dense.draw(numbers);
        CHECK(sparse.draw(numbers) == drawn && parts->draw(numbers) == drawn);
        if (drawn.empty()) break;
        const std::size_t seed = dense.add_best(drawn, threads(1));
        CHECK(sparse.add_best(drawn, threads(3)) == seed);
        CHECK(add_best_in_parts(*parts, rows, drawn, random) == seed);
        CHECK(same_bits(sparse.nearest().squares, dense.nearest().squares));
        CHECK(same_bits(parts->nearest().squares, dense.nearest().squares));
        const auto* x = static_cast<const double*>(rows.row(seed));
        seeds.insert(seeds.end(), x, x + s.d);
    }
    return seeds;
}

TEST(sparse_rows_and_parts_give_the_bits_of_one_array) {
    Random random(1);
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for (const std::size_t d : {1, 2, 16, 33, 200}) {
            for (const double share : {0.0, 0.05, 0.6}) {
                const std::size_t n = 1 + below(random, d == 2 ? 9000 : 1200);
                const auto s = sample(n, d, share, random() % 2 == 0, random);
                context() = name + ", " + std::to_string(n) + " x " + std::to_string(d);
                std::vector<double> centers = check_seeds(*s, 11, random);
                std::vector<std::int32_t> labels(n);
                for (std::size_t twice = centers.size(), i = 0; i < twice; ++i)
                    centers.push_back(i < s->d ? centers[i] : centers[i] / 2);  // a tie, and others
                check_labels(*s, centers, labels);
                for (std::int32_t& label : labels) label %= 4;
                check_sums(*s, labels, random);
            }
        }
    }
    select_kernels("");
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
