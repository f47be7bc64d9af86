// Kernels of sums, means and J: the same bits as the scalar table on every instruction set, and right.
#include <algorithm>
#include <cmath>

#include "check.hpp"
#include "kernels/double_double.hpp"
#include "reference.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

const SumKernels& scalar() {
    return *table("scalar").sums;
}

template <class T>
std::vector<const void*> pointers(const Values<T>& values, std::size_t n_rows, std::size_t n,
                                  Random& random) {
    std::vector<const void*> rows(n_rows);
    for (const void*& row : rows) row = values.data() + below(random, n_rows) * n;
    return rows;
}

template <class T>
void check_add_integer_rows(const SumKernels& kernel, std::size_t n, Random& random) {
    for (const std::size_t n_rows : {1U, 2U, 3U, 7U, 8U, 9U, 15U, 23U, 40U}) {
        Values<T> values(n_rows * n);
        fill_any(values, random);
        const double extreme = n_rows < 30 || kLeast<T> == 0 ? kLargest<T> : kLeast<T>;
        if (n_rows > 20) std::fill_n(values.data(), values.size(), static_cast<T>(extreme));
        const std::vector<const void*> rows = pointers(values, n_rows, n, random);
        Values<std::int32_t> sums(n);
        std::vector<std::int32_t> expected(n);
        for (std::size_t f = 0; f < n; ++f)
            expected[f] = sums[f] = static_cast<std::int32_t>(below(random, 1 << 30));
        kernel.add_integer_rows[dtype_of<T>()](rows.data(), n_rows, n, sums.data());
        for (const void* row : rows)
            for (std::size_t f = 0; f < n; ++f) expected[f] += static_cast<const T*>(row)[f];
        CHECK(same_bits(sums, expected));
    }
}

TEST(integer_rows_are_added_in_32_bits) {
    Random random(1);
    for_each_variant_and_size(&Kernels::sums, [&](const SumKernels& kernel, std::size_t n) {
        check_add_integer_rows<std::uint8_t>(kernel, n, random);
        check_add_integer_rows<std::int8_t>(kernel, n, random);
        check_add_integer_rows<std::uint16_t>(kernel, n, random);
        check_add_integer_rows<std::int16_t>(kernel, n, random);
    });
}

template <class T>
void check_add_real_rows(const SumKernels& kernel, std::size_t n, Random& random) {
    const double spacings[] = {0x1p-20, 0x1p-45, 0x1p-70, 0x1p-95, 0x1p-120};
    const std::vector<double> origin(reals(n, random));
    for (std::size_t n_slices = 1; n_slices <= 5; ++n_slices) {
        const Slices slices{origin.data(), spacings, n_slices};
        for (const std::size_t n_rows : {1U, 3U, 4U, 9U, 14U}) {
            Values<T> values(n_rows * n);
            fill_any(values, random);
            const std::vector<const void*> rows = pointers(values, n_rows, n, random);
            Values<std::int64_t> sums(n_slices * n);
            std::vector<std::int64_t> expected(n_slices * n, 0);
            kernel.add_real_rows[dtype_of<T>() - kFirstReal](rows.data(), n_rows, n, slices, sums.data());
            for (const void* row : rows) {
                for (std::size_t f = 0; f < n; ++f) {
                    double remainder = static_cast<double>(static_cast<const T*>(row)[f]) - origin[f];
                    for (std::size_t l = 0; l < n_slices; ++l) {
                        const double slice = std::nearbyint(remainder / spacings[l]);  // ties to even
                        expected[l * n + f] += static_cast<std::int64_t>(slice);
                        remainder -= slice * spacings[l];
                    }
                }
            }
            CHECK(same_bits(sums, expected));
        }
    }
}

TEST(real_rows_are_added_slice_by_slice) {
    Random random(2);
    for_each_variant_and_size(&Kernels::sums, [&](const SumKernels& kernel, std::size_t n) {
        check_add_real_rows<float>(kernel, n, random);
        check_add_real_rows<double>(kernel, n, random);
    });
}

TEST(totals_take_sums_away_as_they_added_them) {
    Random random(3);
    for_each_variant_and_size(&Kernels::sums, [&](const SumKernels& kernel, std::size_t n) {
        Values<std::int32_t> low_dim(n);
        Values<std::int64_t> wide(n), totals(n);
        std::vector<std::int64_t> before(n), expected(n);
        for (std::size_t f = 0; f < n; ++f) {
            low_dim[f] = static_cast<std::int32_t>(random());
            wide[f] = static_cast<std::int64_t>(random() >> 8) - (1LL << 54);
            before[f] = totals[f] = static_cast<std::int64_t>(random() >> 8) - (1LL << 54);
            expected[f] = totals[f] + low_dim[f] + wide[f];
        }
        kernel.add_sums(low_dim.data(), n, false, totals.data());
        kernel.add_totals(wide.data(), n, false, totals.data());
        CHECK(same_bits(totals, expected));
        kernel.add_sums(low_dim.data(), n, true, totals.data());
        kernel.add_totals(wide.data(), n, true, totals.data());
        CHECK(same_bits(totals, before));
    });
}

template <class T>
void check_add_integers(const SumKernels& kernel, std::size_t n, Random& random) {
    Values<T> row(n);
    fill_any(row, random);
    Values<std::int64_t> sums(n);
    std::vector<std::int64_t> expected(n);
    for (std::size_t f = 0; f < n; ++f)
        expected[f] = sums[f] = static_cast<std::int64_t>(random() >> 8) - (1LL << 54);
    for (const std::int64_t factor : {std::int64_t{1}, std::int64_t{-1}, std::int64_t{UINT32_MAX}}) {
        kernel.add_integers[dtype_of<T>()](row.data(), n, factor, sums.data());
        for (std::size_t f = 0; f < n; ++f) expected[f] += factor * row[f];
    }
    CHECK(same_bits(sums, expected));
    std::uint64_t squares = 0;
    for (std::size_t f = 0; f < n; ++f) squares += static_cast<std::uint64_t>(std::int64_t{row[f]} * row[f]);
    CHECK(kernel.sum_of_squares[dtype_of<T>()](row.data(), n) == squares);
}

TEST(integers_are_added_and_squared_in_64_bits) {
    Random random(4);
    for_each_variant_and_size(&Kernels::sums, [&](const SumKernels& kernel, std::size_t n) {
        check_add_integers<std::uint8_t>(kernel, n, random);
        check_add_integers<std::int8_t>(kernel, n, random);
        check_add_integers<std::uint16_t>(kernel, n, random);
        check_add_integers<std::int16_t>(kernel, n, random);
    });
    Values<std::uint8_t> bytes(100001);
    Values<std::uint16_t> int16(100001);
    std::fill_n(bytes.data(), bytes.size(), std::uint8_t{255});
    std::fill_n(int16.data(), int16.size(), std::uint16_t{65535});
    for (const std::string& name : supported_variants()) {
        context() = name;
        CHECK(table(name).sums->sum_of_squares[kUint8](bytes.data(), bytes.size()) == 65025ULL * 100001);
        CHECK(table(name).sums->sum_of_squares[kUint16](int16.data(), int16.size()) ==
              4294836225ULL * 100001);
    }
}

template <class T>
void check_add_squares(const SumKernels& kernel, std::size_t n, Random& random) {
    Values<double> high(n), low(n), scalar_high(n), scalar_low(n);
    const std::vector<double> origin(n, kIsInteger<T> ? 3.0 : 0.0);
    std::vector<Wide> exact(n, 0);
    Wide size = 0;
    for (int repeat = 0; repeat < 5; ++repeat) {
        Values<T> row(n);
        fill_any(row, random);
        const double weight = 3 * uniform(random);
        kernel.add_squares[dtype_of<T>()](row.data(), n, weight, origin.data(), high.data(), low.data());
        scalar().add_squares[dtype_of<T>()](row.data(), n, weight, origin.data(), scalar_high.data(),
                                            scalar_low.data());
        for (std::size_t f = 0; f < n; ++f) {
            const auto value = static_cast<Wide>(static_cast<double>(row[f]) - origin[f]);
            exact[f] += static_cast<Wide>(weight) * value * value;
            size += static_cast<Wide>(weight) * value * value;
        }
    }
    CHECK(same_bits(high, scalar_high) && same_bits(low, scalar_low));
    bool right = true;
    for (std::size_t f = 0; f < n; ++f)
        right = right && absolute(static_cast<Wide>(high[f]) + static_cast<Wide>(low[f]) - exact[f]) <=
                             0x1p-100 * size;
    CHECK(right);
}

// Rows of weight 1, from an origin and from none, against products that are multiplied by 1.
template <class T>
void check_add_plain_squares(const SumKernels& kernel, std::size_t n, Random& random) {
    const std::vector<double> zeros(n, 0.0);
    Values<double> high(n), low(n), plain_high(n), plain_low(n);
    std::vector<DoubleDouble> sums(n);
    for (int repeat = 0; repeat < 5; ++repeat) {
        Values<T> row(n);
        fill_any(row, random);
        kernel.add_squares[dtype_of<T>()](row.data(), n, 1, zeros.data(), high.data(), low.data());
        kernel.add_squares[dtype_of<T>()](row.data(), n, 1, nullptr, plain_high.data(), plain_low.data());
        for (std::size_t f = 0; f < n; ++f) {
            const auto value = static_cast<double>(row[f]);
            sums[f] = sums[f] + two_product(value, value) * 1.0;
        }
    }
    CHECK(same_bits(high, plain_high));
    bool right = true;
    for (std::size_t f = 0; f < n; ++f)
        right = right && high[f] == sums[f].high && low[f] == sums[f].low && plain_low[f] == low[f];
    CHECK(right);
}

TEST(squares_are_the_scalar_ones_and_keep_a_hundred_bits) {
    Random random(5);
    for_each_variant_and_size(&Kernels::sums, [&](const SumKernels& kernel, std::size_t n) {
        for_each_dtype([&](auto zero) {
            check_add_squares<decltype(zero)>(kernel, n, random);
            check_add_plain_squares<decltype(zero)>(kernel, n, random);
        });
    });
}

// `Wide` and the slices represent the products exactly.
template <class T>
void check_add_weighted(const SumKernels& kernel, std::size_t n, Random& random) {
    const double spacings[] = {0x1p-10, 0x1p-50, 0x1p-90, 0x1p-130};
    const std::vector<double> origin(n, 0.0);
    Values<T> row(n);
    for (std::size_t f = 0; f < n; ++f)
        row[f] = kIsInteger<T> ? any_value<T>(random) : static_cast<T>(uniform(random) - 0.5);
    const double weight = uniform(random);
    const std::size_t n_slices = 4;
    Values<std::int64_t> sums(n_slices * n), negated(n_slices * n);
    kernel.add_weighted[dtype_of<T>()](row.data(), n, weight, {origin.data(), spacings, n_slices},
                                       sums.data());
    kernel.add_weighted[dtype_of<T>()](row.data(), n, -weight, {origin.data(), spacings, n_slices},
                                       negated.data());
    bool right = true;
    for (std::size_t f = 0; f < n; ++f) {
        Wide sum = 0;
        for (std::size_t l = 0; l < n_slices; ++l) {
            sum += static_cast<Wide>(sums[l * n + f]) * static_cast<Wide>(spacings[l]);
            right = right && negated[l * n + f] == -sums[l * n + f];
        }
        const Wide error =
            absolute(sum - static_cast<Wide>(weight) * static_cast<Wide>(static_cast<double>(row[f])));
        right = right && error <= static_cast<Wide>(0x1p-110) * (absolute(sum) + 1);
    }
    CHECK(right);
}

TEST(weighted_rows_are_added_slice_by_slice) {
    Random random(8);
    for_each_variant_and_size(&Kernels::sums, [&](const SumKernels& kernel, std::size_t n) {
        for_each_dtype([&](auto zero) { check_add_weighted<decltype(zero)>(kernel, n, random); });
    });
}

TEST(the_least_bit_is_that_of_the_value_with_the_smallest) {
    for (const std::string& name : supported_variants()) {
        context() = name;
        const SumKernels& kernel = *table(name).sums;
        const std::vector<double> origin(20, 0.0);
        const auto least = [&](std::vector<double> row) {
            return kernel.least_bit[kFloat64 - kFirstReal](row.data(), row.size(), origin.data());
        };
        CHECK(least({0, -0.0}) == HUGE_VAL && least({0, 1, -0.0, 2}) == 1 && least({-3, 12}) == 1);
        CHECK(least({0x1.8p9, 0x1.0000000000001p0}) == 0x1p-52 && least({5e-324, 1e300}) == 5e-324);
        CHECK(least({0x1.8p-1070}) == 0x1p-1071 && least({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -0.75}) == 0.25);
        const std::vector<float> row = {1, 0x1p-149F, 3};
        CHECK(kernel.least_bit[kFloat32 - kFirstReal](row.data(), 3, origin.data()) == 0x1p-149);
        CHECK(kernel.least_bit[kFloat32 - kFirstReal](row.data(), 1, std::vector<double>{0.5}.data()) == 0.5);
    }
}

TEST(values_are_those_of_the_slices) {
    Random random(6);
    const double spacings[] = {0x1p3, 0x1p-40, 0x1p-83};
    for_each_variant_and_size(&Kernels::sums, [&](const SumKernels& kernel, std::size_t n) {
        for (std::size_t n_slices = 1; n_slices <= 3; ++n_slices) {
            Values<std::int64_t> sums(n_slices * n);
            for (std::size_t i = 0; i < sums.size(); ++i)
                sums[i] = static_cast<std::int64_t>(random()) >> (1 + below(random, 63));
            sums[0] = INT64_MIN;
            if (n % 2) std::fill_n(sums.data(), n_slices * n, 12345);
            Values<double> high(n), low(n), scalar_high(n), scalar_low(n);
            const bool low_used = kernel.values(sums.data(), n, spacings, n_slices, high.data(), low.data());
            CHECK(low_used == std::any_of(low.data(), low.data() + n, [](double x) { return x != 0; }));
            scalar().values(sums.data(), n, spacings, n_slices, scalar_high.data(), scalar_low.data());
            CHECK(same_bits(high, scalar_high) && same_bits(low, scalar_low));
            bool right = true;
            for (std::size_t f = 0; f < n; ++f) {
                Wide exact = 0;  // with one slice it is exact, and so must be the value
                for (std::size_t l = n_slices; l-- > 0;)
                    exact += static_cast<Wide>(sums[l * n + f]) * static_cast<Wide>(spacings[l]);
                const Wide error = absolute(static_cast<Wide>(high[f]) + static_cast<Wide>(low[f]) - exact);
                right = right && high[f] == high[f] + low[f] &&
                        error <= (n_slices == 1 ? 0 : 0x1p-102) * absolute(exact);
            }
            CHECK(right);
        }
    });
}

// Sums of whole numbers, around where they are read in two ways.
TEST(values_of_whole_numbers_are_exact) {
    const double one = 1;
    constexpr std::int64_t kEdge = std::int64_t{1} << 51;
    const std::int64_t steps[] = {0, 1, -1, 12345, -98765};
    for_each_variant_and_size(&Kernels::sums, [&](const SumKernels& kernel, std::size_t n) {
        for (const std::int64_t size : {std::int64_t{0}, kEdge, 4 * kEdge, 4000 * kEdge}) {
            Values<std::int64_t> sums(n);
            Values<double> high(n), low(n);
            for (std::size_t f = 0; f < n; ++f) sums[f] = (f % 2 ? -size : size) + steps[f % 5];
            for (int shift = 0; shift < 2; ++shift) {
                const bool low_used = kernel.values(sums.data(), n, &one, 1, high.data(), low.data());
                CHECK(low_used == std::any_of(low.data(), low.data() + n, [](double x) { return x != 0; }));
                bool right = true;
                for (std::size_t f = 0; f < n; ++f)
                    right = right && static_cast<Wide>(high[f]) + static_cast<Wide>(low[f]) ==
                                         static_cast<Wide>(sums[f]);
                CHECK(right);
                for (std::size_t f = 0; f < n; ++f) sums[f] = sums[f] > 0 ? sums[f] - 2 : sums[f] + 2;
            }
        }
    });
}

void check_mean_and_cost(const SumKernels& kernel, const ClusterSumView& sums, Random& random) {
    const std::size_t n = sums.n_features;
    const Values<double> centre(reals(n, random));
    Values<double> mean(n), scalar_mean(n);
    kernel.mean(sums, mean.data());
    scalar().mean(sums, scalar_mean.data());
    CHECK(same_bits(mean, scalar_mean));
    const ClusterCost cost = kernel.cost(sums, centre.data());
    const ClusterCost expected = scalar().cost(sums, centre.data());
    CHECK(same_bits(cost.high, expected.high) && same_bits(cost.low, expected.low));
    CHECK(same_bits(cost.magnitude, expected.magnitude));
    const Wide count = static_cast<Wide>(sums.count[0]) + static_cast<Wide>(sums.count[1]);
    Wide exact = 0, size = 0;
    bool rounded = true;
    for (std::size_t f = 0; f < n; ++f) {
        const Wide x = static_cast<Wide>(centre[f]) - static_cast<Wide>(sums.origin[f]);
        const Wide sum = static_cast<Wide>(sums.high[f]) + static_cast<Wide>(sums.low[f]);
        exact += x * (x * count - 2 * sum);
        size += absolute(x) * (absolute(x) * count + 2 * absolute(sum));
        rounded =
            rounded && correctly_rounded(mean[f], sum + count * static_cast<Wide>(sums.origin[f]), count);
    }
    CHECK(rounded);
    CHECK(absolute(static_cast<Wide>(cost.magnitude) - size) <= static_cast<Wide>(0x1p-40) * size);
    const double steps =
        std::min(std::ceil(static_cast<double>(n) / kCostLanes), static_cast<double>(kCostSteps));
    const Wide error = absolute(static_cast<Wide>(cost.high) + static_cast<Wide>(cost.low) - exact);
    CHECK(error <= static_cast<Wide>((8 * static_cast<double>(n) + 4 * steps * steps) * 0x1p-106) * size);
}

TEST(means_and_costs_are_the_scalar_ones_and_right) {
    Random random(7);
    for (const std::string& name : supported_variants()) {
        const SumKernels& kernel = *table(name).sums;
        std::vector<std::size_t> sizes = feature_counts();
        sizes.insert(sizes.end(), {1024, 1025, 3000});
        for (const std::size_t n : sizes) {
            context() = name + " n_features=" + std::to_string(n);
            const Values<double> origin(reals(n, random)), high(reals(n, random));
            Values<double> low(n);
            const Values<double> zeros(n);
            for (std::size_t f = 0; f < n; ++f) low[f] = high[f] * 0x1p-60;
            check_mean_and_cost(kernel, {n, origin.data(), high.data(), low.data(), {37.5, 0x1p-50}, false},
                                random);
            check_mean_and_cost(kernel, {n, zeros.data(), high.data(), zeros.data(), {37, 0}, true}, random);
        }
    }
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
