// Exact kernels: the same bits as the scalar table on every instruction set, and right.
#include <cmath>

#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

const ExactKernels& scalar() {
    return *table("scalar").exact;
}

TEST(widen_keeps_every_value) {
    Random random(1);
    for_each_variant_and_size(&Kernels::exact, [&](const ExactKernels& kernel, std::size_t n) {
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
    for_each_variant_and_size(&Kernels::exact, [&](const ExactKernels& kernel, std::size_t n) {
        const Values<double> a(reals(n, random));
        const Values<double> b(reals(n, random));
        const double distance = kernel.squared_distance(a.data(), b.data(), n);
        CHECK(same_bits(distance, scalar().squared_distance(a.data(), b.data(), n)));
        const Wide exact = squared_distance<Wide>(rows_of(a, n), 0, b.data());
        const Wide bound =
            (static_cast<double>(n) / 16 + 8) * 0x1p-53 * exact;  // what exact/exact_nearest.hpp counts on
        CHECK(absolute(static_cast<Wide>(distance) - exact) <= bound);
    });
}

TEST(squared_distances_are_the_scalar_ones_and_right) {
    Random random(3);
    for_each_variant_and_size(&Kernels::exact, [&](const ExactKernels& kernel, std::size_t n) {
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

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
