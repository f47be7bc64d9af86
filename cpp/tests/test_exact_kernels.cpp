// Exact kernels: the same bits as the scalar table on every instruction set, and right.
#include <cmath>

#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

// Real numbers over many magnitudes, so that the order of additions shows in the bits.
std::vector<double> reals(std::size_t n, Random& random) {
    std::vector<double> values(n);
    for (double& value : values)
        value = std::ldexp(2 * uniform(random) - 1, static_cast<int>(below(random, 40)) - 20);
    return values;
}

template <class Visit>
void for_each_variant_and_size(Visit visit) {
    for (const std::string& name : supported_variants()) {
        const ExactKernels& kernel = *table(name).exact;
        for (const std::size_t n : feature_counts()) {
            context() = name + " n_features=" + std::to_string(n);
            visit(kernel, n);
        }
    }
}

const ExactKernels& scalar() {
    return *table("scalar").exact;
}

TEST(widen_keeps_every_value) {
    Random random(1);
    for_each_variant_and_size([&](const ExactKernels& kernel, std::size_t n) {
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            Values<T> row(n);
            fill_any(row, random);
            Values<double> out(n);
            kernel.widen[dtype_of<T>()](row.data(), n, out.data());
            bool equal = true;
            for (std::size_t f = 0; f < n; ++f) equal = equal && out[f] == static_cast<double>(row[f]);
            CHECK(equal);
        });
    });
}

TEST(squared_distance_is_the_scalar_one_and_right) {
    Random random(2);
    for_each_variant_and_size([&](const ExactKernels& kernel, std::size_t n) {
        const Values<double> a(reals(n, random));
        const Values<double> b(reals(n, random));
        const double distance = kernel.squared_distance(a.data(), b.data(), n);
        CHECK(same_bits(distance, scalar().squared_distance(a.data(), b.data(), n)));
        const Wide exact = squared_distance<Wide>(rows_of(a, n), 0, b.data());
        const Wide bound =
            (static_cast<double>(n) / 16 + 8) * 0x1p-53 * exact;  // what kmeans/decide.hpp counts on
        CHECK(absolute(static_cast<Wide>(distance) - exact) <= bound);
    });
}

TEST(squared_distances_are_the_scalar_ones_and_right) {
    Random random(3);
    for_each_variant_and_size([&](const ExactKernels& kernel, std::size_t n) {
        for (const std::size_t n_rows : {std::size_t{1}, std::size_t{2}, std::size_t{5}, std::size_t{9}}) {
            const Values<double> rows(reals(n_rows * n, random));
            const Values<double> panel(reals(kExactPanelWidth * n, random));
            Values<double> out(n_rows * kExactPanelWidth);
            Values<double> expected(out.size());
            kernel.squared_distances(rows.data(), n_rows, n, panel.data(), out.data());
            scalar().squared_distances(rows.data(), n_rows, n, panel.data(), expected.data());
            CHECK(same_bits(out, expected));
            const std::size_t i = below(random, n_rows);
            const std::size_t j = below(random, kExactPanelWidth);
            double sum = 0;
            for (std::size_t f = 0; f < n; ++f) {
                const double difference = rows[i * n + f] - panel[f * kExactPanelWidth + j];
                sum += difference * difference;
            }
            CHECK(same_bits(out[i * kExactPanelWidth + j], sum));
        }
    });
}

template <class T>
void check_add_integers(const ExactKernels& kernel, std::size_t n, Random& random) {
    Values<T> row(n);
    fill_any(row, random);
    Values<std::int64_t> sums(n);
    std::vector<std::int64_t> expected(n);
    for (std::size_t f = 0; f < n; ++f)
        expected[f] = sums[f] = static_cast<std::int64_t>(random() >> 8) - (1LL << 54);
    for (int repeat = 0; repeat < 3; ++repeat) {
        kernel.add_integers[dtype_of<T>()](row.data(), n, sums.data());
        for (std::size_t f = 0; f < n; ++f) expected[f] += row[f];
    }
    CHECK(same_bits(sums, expected));
}

TEST(add_integers_adds_in_int64) {
    Random random(4);
    for_each_variant_and_size([&](const ExactKernels& kernel, std::size_t n) {
        check_add_integers<std::uint8_t>(kernel, n, random);
        check_add_integers<std::uint16_t>(kernel, n, random);
    });
}

template <class T>
void check_add_reals(const ExactKernels& kernel, std::size_t n, Random& random) {
    Values<double> high(n), low(n), scalar_high(n), scalar_low(n);
    const std::vector<double> origin(n, kIsInteger<T> ? 3.0 : 0.0);
    std::vector<Wide> exact(n, 0);
    Wide size = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
        Values<T> row(n);
        fill_any(row, random);
        const double weight = 3 * uniform(random);
        kernel.add_reals[dtype_of<T>()](row.data(), n, weight, origin.data(), high.data(), low.data());
        scalar().add_reals[dtype_of<T>()](row.data(), n, weight, origin.data(), scalar_high.data(),
                                          scalar_low.data());
        for (std::size_t f = 0; f < n; ++f) {
            const Wide term =
                static_cast<Wide>(weight) * static_cast<Wide>(static_cast<double>(row[f]) - origin[f]);
            exact[f] += term;
            size += absolute(term);
        }
    }
    CHECK(same_bits(high, scalar_high) && same_bits(low, scalar_low));
    bool right = true;
    for (std::size_t f = 0; f < n; ++f)
        right = right && absolute(static_cast<Wide>(high[f]) + static_cast<Wide>(low[f]) - exact[f]) <=
                             0x1p-100 * size;
    CHECK(right);
}

TEST(add_reals_is_the_scalar_one_and_keeps_a_hundred_bits) {
    Random random(5);
    for_each_variant_and_size([&](const ExactKernels& kernel, std::size_t n) {
        for_each_dtype([&](auto zero) { check_add_reals<decltype(zero)>(kernel, n, random); });
    });
}

TEST(cluster_cost_is_the_scalar_one_and_right) {
    Random random(6);
    for_each_variant_and_size([&](const ExactKernels& kernel, std::size_t n) {
        const Values<double> centre(reals(n, random)), origin(reals(n, random)), high(reals(n, random));
        Values<double> low(n);
        for (std::size_t f = 0; f < n; ++f) low[f] = high[f] * 0x1p-60;
        const double count[2] = {37.5, 0x1p-50};
        double cost[2], expected[2];
        double magnitude = 0, expected_magnitude = 0;
        kernel.cluster_cost(centre.data(), origin.data(), high.data(), low.data(), count, n, cost,
                            &magnitude);
        scalar().cluster_cost(centre.data(), origin.data(), high.data(), low.data(), count, n, expected,
                              &expected_magnitude);
        CHECK(same_bits(cost[0], expected[0]) && same_bits(cost[1], expected[1]));
        CHECK(same_bits(magnitude, expected_magnitude));
        Wide exact = 0;
        for (std::size_t f = 0; f < n; ++f) {
            const Wide x = static_cast<Wide>(centre[f]) - static_cast<Wide>(origin[f]);
            const Wide sum = static_cast<Wide>(high[f]) + static_cast<Wide>(low[f]);
            exact += x * (x * (static_cast<Wide>(count[0]) + static_cast<Wide>(count[1])) - 2 * sum);
        }
        const Wide error = absolute(static_cast<Wide>(cost[0]) + static_cast<Wide>(cost[1]) - exact);
        CHECK(error <= 0x1p-98 * static_cast<Wide>(magnitude) * static_cast<double>(n + 8));
    });
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
