// The spacings of exact sums, and sums at the limits of what their slices hold.
#include "update/slice_spacings.hpp"

#include <bit>
#include <cmath>
#include <stdexcept>

#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"
#include "sums.hpp"

namespace kmosaic::testing {
namespace {

std::vector<double> spacings_of(const Rows& rows) {
    const ValueRange range = range_of_reals(rows, threads(2));
    return slice_spacings(rows, std::vector<double>(rows.n_features, 0.0), range, threads(3));
}

template <class T>
std::size_t n_slices(const std::vector<double>& values) {
    return spacings_of(rows_of(Values<T>(values), 1)).size();
}

TEST(as_few_slices_as_represent_every_value) {
    // Four rows: w = 50, so slice l reaches down to 2^(E - 50 l).
    CHECK(n_slices<float>({0, 255, 1, 17}) == 1);
    CHECK(n_slices<double>({0, 0, 0, -0.0}) == 1);
    CHECK(n_slices<double>({0x1.8p9, 1, -3, 0x1p-40}) == 1);  // E = 10
    CHECK(n_slices<double>({0x1.8p9, 1, -3, 0x1p-41}) == 2);
    CHECK(n_slices<double>({0x1.8p9, 1, -3, -0x1p-90}) == 2);
    CHECK(n_slices<double>({0x1.8p9, 1, -3, 0x1.8p-90}) == 3);
    CHECK(n_slices<double>({0x1.8p9, 1, -3, 0x1p-140}) == 3);
    CHECK(n_slices<double>({0x1.8p9, 1, -3, 0x1p-141}) == 4);
    CHECK(n_slices<float>({0x1.8p9F, 1, -3, 0x1p-140F}) == 3);  // less than the least normal float
    CHECK(n_slices<double>({0x1p940, 0x1p900, 0, 0x1p800}) == 3);
    CHECK(n_slices<double>({0x1p940, 0x1p900, 1, 0x1p800}) == 19);  // E = 941
    CHECK(n_slices<double>({0x1p940, 0x1p-1074, 0, 0}) ==
          41);  // the last reaches down to 2^-1074, and no further
    CHECK(n_slices<double>({1e-310, 1e-320, 5e-324, 0}) == 1);
    CHECK(n_slices<double>({0x1p-940, 0, 0x1p-989, 0}) == 1);
    CHECK(n_slices<double>({0x1p-940, 0, 0x1p-990, 0}) == 2);
    CHECK(!message_of<std::invalid_argument>([] { n_slices<double>({1e300, 1, 1, 1}); }).empty());
}

TEST(weighted_spacings_represent_products_and_weights) {
    const Values<double> values({0x1.8p9, 1, -3, 0x1p-40});
    const auto spacings_with = [&](std::vector<double> weights) {
        const Rows rows = rows_of(values, 1, weights.data());
        return weighted_spacings(rows, {0.0}, range_of_reals(rows, threads(1)), threads(2));
    };
    const WeightedSpacings ones = spacings_with({1, 1, 1, 1});  // E = 10 + 1 and 1
    CHECK(ones.sums == std::vector<double>({0x1p-39, 0x1p-89}) &&
          ones.weights == std::vector<double>({0x1p-49}));
    const WeightedSpacings wide = spacings_with({0x1p90, 1, 1, 0x1p-60});
    CHECK(wide.sums.size() == 5 && wide.weights.size() == 4);
    CHECK(!spacings_with({0x1p90, 1, 1, 0x1p-1034}).sums.empty());
    CHECK(spacings_with({0x1p90, 1, 1, 0x1p-1035}).sums.empty());
}

TEST(ranges_are_those_of_the_features) {
    Random random(1);
    const std::size_t n = 9001, d = 7;
    Values<float> values(n * d);
    fill_any(values, random);
    const ValueRange range = range_of_reals(rows_of(values, d), threads(3));
    for (std::size_t f = 0; f < d; ++f) {
        double low = HUGE_VAL, high = -HUGE_VAL;
        for (std::size_t i = 0; i < n; ++i) {
            low = std::fmin(low, static_cast<double>(values[i * d + f]));
            high = std::fmax(high, static_cast<double>(values[i * d + f]));
        }
        CHECK(range.low[f] == low && range.high[f] == high);
    }
}

// Values whose bits reach from 2^E down to the last spacing, all of one sign, so that sums are as large as
// possible. The sum of n equal values v is n v.
template <std::size_t NSlices>
void check_edge(std::size_t n, std::size_t d) {
    const int bits = std::min(50, 62 - static_cast<int>(std::bit_width(n)));
    const double largest = 0x1.fffffffffffffp9;  // all 53 bits set
    const double least = std::ldexp(1.0, 10 - static_cast<int>(NSlices) * bits);
    Values<double> values(n * d);
    for (std::size_t i = 0; i < n * d; ++i) values[i] = i / d % 2 == 0 ? -largest : -least;
    const Rows rows = rows_of(values, d);
    const std::size_t n_found = spacings_of(rows).size();
    context() = "slices " + std::to_string(NSlices) + " rows " + std::to_string(n);
    CHECK(n_found == NSlices);
    const std::vector<std::int32_t> labels(n, 0);
    const ClusterSums sums = sums_of(rows, 1, labels, 2);
    std::vector<double> high(d), low(d);
    sums.sums().values(0, high.data(), low.data());
    const auto pairs = static_cast<Wide>(static_cast<double>((n + 1) / 2));
    const auto others = static_cast<Wide>(static_cast<double>(n / 2));
    const Wide exact = -pairs * static_cast<Wide>(largest) - others * static_cast<Wide>(least);
    for (std::size_t f = 0; f < d; ++f) {
        const Wide error = absolute(static_cast<Wide>(high[f]) + static_cast<Wide>(low[f]) - exact);
        CHECK(error <= absolute(exact) * static_cast<Wide>(0x1p-103));
    }
}

TEST(nothing_rounds_or_overflows_at_the_edge) {
    for (const std::size_t n :
         {std::size_t{4}, std::size_t{4095}, std::size_t{4096}, (std::size_t{1} << 20) + 1}) {
        check_edge<2>(n, 1);
        check_edge<3>(n, 1);
        check_edge<4>(n, 3);
    }
    check_edge<2>(1 << 12, 5000);  // lists, not tables
    check_edge<2>((1 << 24) + 3, 1);
    check_edge<3>(1 << 24, 1);
}

TEST(any_order_of_rows_and_any_split_give_the_same_bits) {
    Random random(2);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        if constexpr (!kIsInteger<T>) {
            const std::size_t n = 2000, d = 11, k = 5;
            Values<T> values(n * d), shuffled(n * d);
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] = static_cast<T>(
                    std::ldexp(uniform(random) - 0.5, static_cast<int>(below(random, 20)) - 8));
            std::vector<std::int32_t> labels = random_labels(n, k, random), shuffled_labels(n);
            for (std::size_t i = 0; i < n; ++i) {
                const std::size_t to = (i * 1237 + 5) % n;
                std::copy_n(values.data() + i * d, d, shuffled.data() + to * d);
                shuffled_labels[to] = labels[i];
            }
            ClusterSums whole = sums_of(rows_of(values, d), k, labels, 3);
            ClusterSums other = empty_sums(rows_of(shuffled, d), k);
            const Rows rows = rows_of(shuffled, d);
            for (std::size_t first = 0; first < n; first += 500) {
                ClusterSums part = other.emptied(k);
                part.add({rows.row(first), rows.dtype, 500, d, nullptr}, shuffled_labels.data() + first,
                         threads(1));
                other.merge(part);
            }
            std::vector<double> means(k * d), other_means(k * d);
            whole.means(means.data());
            other.means(other_means.data());
            CHECK(same_bits(means, other_means));
        }
    });
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
