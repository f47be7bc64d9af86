// Kernels of the float32 filter of every instruction set against float64 loops, within the error that
// filters/float32_filter.hpp assumes.
#include <cmath>
#include <limits>

#include "check.hpp"
#include "samples.hpp"
#include "systematic.hpp"

namespace kmosaic::testing {
namespace {

constexpr double kU = 0x1p-24;

// Additions on the longest path of a product, plus one for the rounding of a factor: float32_filter.hpp's m.
double additions(std::size_t n_features) {
    const auto d = static_cast<double>(n_features);
    const auto chunk = static_cast<double>(kFeatureChunk);
    return std::min(d, chunk) + std::ceil(d / chunk) + 2;
}

template <class T>
void check_widen(const Float32Kernels& kernel, std::size_t n, Random& random) {
    Values<T> row(n);
    fill_any(row, random);
    std::vector<double> origin(n);
    for (double& o : origin) o = kIsInteger<T> ? std::rint(100 * uniform(random)) : uniform(random) - 0.5;
    const double scale = kIsInteger<T> ? 1.0 : 0x1p-3;
    Values<float> out(n);
    const float square = kernel.widen[dtype_of<T>()](row.data(), n, origin.data(), scale, out.data());
    bool close = true;
    double sum = 0;
    for (std::size_t f = 0; f < n; ++f) {
        const double exact = (static_cast<double>(row[f]) - origin[f]) * scale;
        const double error = std::fabs(static_cast<double>(out[f]) - exact);
        close = close && (kIsInteger<T> ? error == 0 : error <= kU * std::fabs(exact));
        sum += static_cast<double>(out[f]) * static_cast<double>(out[f]);
    }
    CHECK(close);
    const double tolerance = (static_cast<double>(n) / kPanelWidth + 2 * kPanelWidth) * kU * sum;
    CHECK(std::fabs(static_cast<double>(square) - sum) <= tolerance);
}

TEST(widen_is_the_row_less_its_origin_rounded_once) {
    Random random(1);
    for (const std::string& name : supported_variants()) {
        const Float32Kernels& kernel = *table(name).float32;
        for (const std::size_t n : feature_counts()) {
            for_each_dtype([&](auto zero) {
                using T = decltype(zero);
                context() = name + " " + name_of(dtype_of<T>()) + " n_features=" + std::to_string(n);
                check_widen<T>(kernel, n, random);
            });
        }
    }
}

// One product of the kernel's against float64, componentwise: sharper than the Cauchy-Schwarz form of the
// bound.
bool within_bound(const float* row, const float* panel, std::size_t n, float product) {
    double exact = 0;
    double size = 0;
    for (std::size_t f = 0; f < n; ++f) {
        const double term = static_cast<double>(row[f]) * static_cast<double>(panel[f * kPanelWidth]);
        exact += term;
        size += std::fabs(term);
    }
    const double m = additions(n) * kU;
    return std::fabs(static_cast<double>(product) - exact) <= m / (1 - m) * size;
}

void check_products(const Float32Kernels& kernel, const Values<float>& rows, const Values<float>& panels,
                    std::size_t n_features) {
    const std::size_t n_rows = rows.size() / n_features;
    const std::size_t n_panels = panels.size() / n_features / kPanelWidth;
    Values<float> out(n_rows * n_panels * kPanelWidth);
    std::fill_n(out.data(), out.size(), std::numeric_limits<float>::quiet_NaN());
    kernel.products(rows.data(), n_rows, n_features, panels.data(), n_panels, out.data());
    bool close = true;
    for (std::size_t r = 0; r < n_rows; ++r)
        for (std::size_t j = 0; j < n_panels * kPanelWidth; ++j)
            close = close &&
                    within_bound(rows.data() + r * n_features,
                                 panels.data() + j / kPanelWidth * n_features * kPanelWidth + j % kPanelWidth,
                                 n_features, out[r * n_panels * kPanelWidth + j]);
    CHECK(close);
}

TEST(products_stay_within_the_bound_for_random_rows) {
    Random random(2);
    for (const std::string& name : supported_variants()) {
        const Float32Kernels& kernel = *table(name).float32;
        for (const std::size_t n : feature_counts()) {
            for (std::size_t n_panels = 1; n_panels <= 7; n_panels += n > 40 ? 3 : 1) {
                context() =
                    name + " n_features=" + std::to_string(n) + " n_panels=" + std::to_string(n_panels);
                Values<float> rows(2 * kernel.row_group * n);
                Values<float> panels(n_panels * kPanelWidth * n);
                fill_any(rows, random);
                fill_any(panels, random);
                check_products(kernel, rows, panels, n);
            }
        }
    }
}

TEST(products_stay_within_the_bound_where_every_addition_rounds_the_same_way) {
    for (const std::string& name : supported_variants()) {
        const Float32Kernels& kernel = *table(name).float32;
        for (const std::size_t n : {255U, 257U, 784U, 5000U}) {
            for (const std::size_t chunk : {std::size_t{kFeatureChunk}, std::size_t{n}}) {
                context() = name + " n_features=" + std::to_string(n) + " planted for chunks of " +
                            std::to_string(chunk);
                Values<float> rows(kernel.row_group * n);
                std::fill_n(rows.data(), rows.size(), 1.0F);
                Values<float> panels(kPanelWidth * n);
                double excess = 0;
                const std::vector<double> down = rounding_one_way(n, chunk, true, &excess);
                const std::vector<double> up = rounding_one_way(n, chunk, false, &excess);
                for (std::size_t f = 0; f < n; ++f)
                    for (std::size_t j = 0; j < kPanelWidth; ++j)
                        panels[f * kPanelWidth + j] = static_cast<float>(j % 2 == 0 ? down[f] : up[f]);
                check_products(kernel, rows, panels, n);
            }
        }
    }
}

TEST(scores_are_norms_less_twice_the_products_and_the_least_is_returned) {
    Random random(3);
    for (const std::string& name : supported_variants()) {
        const Float32Kernels& kernel = *table(name).float32;
        for (std::size_t n = kPanelWidth; n <= 7 * kPanelWidth; n += kPanelWidth) {
            context() = name + " n=" + std::to_string(n);
            Values<float> norms(n);
            Values<float> products(n);
            fill_any(norms, random);
            fill_any(products, random);
            norms[below(random, n)] = std::numeric_limits<float>::infinity();
            Values<float> expected(n);
            for (std::size_t j = 0; j < n; ++j) expected[j] = norms[j] - 2 * products[j];
            const float least = kernel.scores(products.data(), norms.data(), n);
            CHECK(std::equal(products.data(), products.data() + n, expected.data()));
            CHECK(least == *std::min_element(expected.data(), expected.data() + n));
        }
    }
}

TEST(count_counts_scores_up_to_the_limit_and_finds_the_last) {
    Random random(4);
    for (const std::string& name : supported_variants()) {
        const Float32Kernels& kernel = *table(name).float32;
        for (std::size_t n = kPanelWidth; n <= 7 * kPanelWidth; n += kPanelWidth) {
            Values<float> scores(n);
            for (std::size_t i = 0; i < n; ++i) scores[i] = static_cast<float>(below(random, 8));
            for (int limit = -1; limit <= 8; ++limit) {
                context() = name + " n=" + std::to_string(n) + " limit=" + std::to_string(limit);
                std::size_t expected = 0;
                std::size_t expected_last = 0;
                for (std::size_t i = 0; i < n; ++i) {
                    if (!(scores[i] <= static_cast<float>(limit))) continue;
                    ++expected;
                    expected_last = i;
                }
                std::size_t last = 0;
                CHECK(kernel.count(scores.data(), n, static_cast<float>(limit), &last) == expected);
                CHECK(last == expected_last);
            }
        }
    }
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
