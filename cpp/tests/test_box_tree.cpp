// The tree of boxes against brute force: the same rows, to the bit, for any values, on every instruction set.
#include "seeding/box_tree.hpp"

#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "kernels/dispatch.hpp"
#include "samples.hpp"
#include "seeding/kd_order.hpp"

namespace kmosaic::testing {
namespace {

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

// All pairs' squared distances, as the seeder measures them.
class BruteForce {
  public:
    explicit BruteForce(const Rows& rows)
        : d_(rows.n_features), wide_(rows.n_rows * d_), nearest(rows.n_rows) {
        kernels().exact->widen[rows.dtype](rows.data, wide_.size(), wide_.data());
    }

    void add_seed(std::size_t seed, BoxTree* tree) {
        for (std::size_t i = 0; i < nearest.squares.size(); ++i) {
            const double distance = square(i, seed);
            if (!(distance < nearest.squares[i])) continue;
            nearest.squares[i] = distance;
            if (tree) tree->lower(i);
        }
    }

    [[nodiscard]] bool agrees(std::size_t candidate, const std::vector<NearerRow>& nearer) const {
        std::size_t n = 0;
        for (std::size_t i = 0; i < nearest.squares.size(); ++i) {
            const double distance = square(i, candidate);
            if (!(distance < nearest.squares[i])) continue;
            if (n >= nearer.size() || nearer[n].row != i || nearer[n].square != distance) return false;
            ++n;
        }
        return n == nearer.size();
    }

  private:
    [[nodiscard]] double square(std::size_t a, std::size_t b) const {
        return kernels().exact->squared_distance(wide_.data() + a * d_, wide_.data() + b * d_, d_);
    }

    std::size_t d_;
    std::vector<double> wide_;

  public:
    NearestSeeds nearest;
};

void check_searches(const Rows& rows, Random& random) {
    BruteForce all(rows);
    for (int s = 0; s < 5; ++s) all.add_seed(below(random, rows.n_rows), nullptr);
    BoxTree tree(rows, all.nearest, threads(3));
    std::vector<std::vector<NearerRow>> nearer;
    for (const std::size_t n : {1U, 5U, 16U, 3U, 8U}) {
        std::vector<std::size_t> candidates(n);
        for (std::size_t& candidate : candidates) candidate = below(random, rows.n_rows);
        tree.find(candidates, nearer, threads(1 + n % 3));
        CHECK(nearer.size() == n);
        for (std::size_t c = 0; c < n; ++c) CHECK(all.agrees(candidates[c], nearer[c]));
        for (int s = 0; s < 20; ++s) all.add_seed(below(random, rows.n_rows), &tree);
    }
}

// Values of one kind: near zero or far from it, tiny or huge, repeated, of many magnitudes.
std::vector<double> values_of(int kind, std::size_t n, Random& random) {
    std::vector<double> values(n);
    for (double& x : values) {
        const double y = 2 * uniform(random) - 1;
        switch (kind) {
            case 0: x = y; break;
            case 1: x = 1e7 + std::floor(8 * y); break;
            case 2: x = y * 1e-19; break;
            case 3: x = y * 1e18; break;
            case 4: x = std::floor(2 * y); break;
            default: x = std::ldexp(y, -static_cast<int>(below(random, 60))); break;
        }
    }
    return values;
}

TEST(rows_of_reals_are_found_as_by_brute_force) {
    Random random(1);
    for (const std::size_t d : {1U, 2U, 7U, 40U})
        for (const std::size_t n :
             {std::size_t{1}, std::size_t{16}, std::size_t{17}, std::size_t{300}, 4200 / d + 16})
            for (int kind = 0; kind < 6; ++kind) {
                std::vector<double> values = values_of(kind, n * d, random);
                if (n > 20) values[d] *= 1e9;  // an outlier
                for (const std::string& name : supported_variants()) {
                    select_kernels(name);
                    context() = name + " n_rows=" + std::to_string(n) + " n_features=" + std::to_string(d) +
                                " kind=" + std::to_string(kind);
                    check_searches(rows_of(Values<float>(values), d), random);
                    check_searches(rows_of(Values<double>(values), d), random);
                }
            }
}

TEST(distances_at_the_limits_of_float64_are_found) {
    Random random(2);
    for (const double scale : {1e100, 1e-150, 1e-162, 1e-320}) {
        std::vector<double> values = values_of(0, 900, random);
        for (double& x : values) x *= scale;
        context() = "scale=" + std::to_string(std::log10(scale));
        check_searches(rows_of(Values<double>(values), 3), random);
    }
}

TEST(integer_rows_are_found_as_by_brute_force) {
    Random random(3);
    for (const std::size_t d : {1U, 3U, 33U}) {
        std::vector<double> values(500 * d);
        for (double& x : values) x = static_cast<double>(below(random, 256));
        check_searches(rows_of(Values<std::uint8_t>(values), d), random);
        for (double& x : values) x *= 257;
        check_searches(rows_of(Values<std::uint16_t>(values), d), random);
    }
}

TEST(a_search_reads_few_rows_of_a_plane) {
    // Once there are many seeds, most of a plane is out of a candidate's reach.
    Random random(4);
    const Values<float> values(values_of(0, 2 * 5000, random));
    const Rows rows = rows_of(values, 2);
    BruteForce all(rows);
    for (std::size_t s = 0; s < 200; ++s) all.add_seed(s, nullptr);
    BoxTree tree(rows, all.nearest, threads(1));
    std::vector<std::vector<NearerRow>> nearer;
    for (std::size_t c = 300; c < 320; ++c) {
        tree.find({c}, nearer, threads(1));
        CHECK(tree.n_measured() < 200);
    }
}

TEST(an_order_holds_every_point_once_and_neighbours_together) {
    Random random(5);
    for (const std::size_t n : {1U, 16U, 100U, 30000U}) {
        std::vector<float> points(n);
        for (float& x : points) x = static_cast<float>(uniform(random));
        const std::vector<std::uint32_t> order = kd_order(points.data(), n, 1, threads(3));
        std::vector<std::uint32_t> sorted = order;
        std::sort(sorted.begin(), sorted.end());
        for (std::uint32_t i = 0; i < n; ++i) CHECK(sorted[i] == i);
        float before = -1;
        for (std::size_t run = 0; run < n; run += 16) {  // on a line, runs do not overlap
            float low = 2, high = -1;
            for (std::size_t i = run; i < std::min(run + 16, n); ++i) {
                low = std::min(low, points[order[i]]);
                high = std::max(high, points[order[i]]);
            }
            CHECK(low >= before);
            before = high;
        }
    }
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
