// The filter's promise: every computed score lies within E of the true one, so that no winner is ruled out.
#include "filters/float32_filter.hpp"

#include <cmath>
#include <limits>

#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Filtered {
    std::vector<float> scores;
    float square = 0;
};

Filtered filtered_row(const Rows& rows, const Float32Filter& float32, const Float32Kernels& kernel) {
    const std::size_t d = rows.n_features;
    Filtered result{std::vector<float>(kernel.row_group * float32.n_panels() * kPanelWidth), 0};
    std::vector<float> block(kernel.row_group * d, 0.0F);
    result.square = kernel.widen[rows.dtype](rows.row(0), d, float32.origin(), float32.scale(), block.data());
    kernel.products(block.data(), kernel.row_group, d, float32.panels(), float32.n_panels(),
                    result.scores.data());
    kernel.scores(result.scores.data(), float32.norms(), float32.n_panels() * kPanelWidth);
    result.scores.resize(float32.n_panels() * kPanelWidth);
    return result;
}

// S_j = |C|^2 - 2 X.C with X = (x - o) s, C = (c - o) s.
Wide true_score(const Rows& rows, const double* center, const Float32Filter& float32) {
    Wide score = 0;
    const Wide scale = float32.scale();
    for (std::size_t f = 0; f < rows.n_features; ++f) {
        const Wide origin = float32.origin()[f];
        const Wide c = (static_cast<Wide>(center[f]) - origin) * scale;
        const Wide x = (static_cast<Wide>(value_at(rows, 0, f)) - origin) * scale;
        score += c * c - 2 * x * c;
    }
    return score;
}

template <class T>
void check_margin(std::size_t d, std::size_t k, Random& random) {
    Values<T> row(d);
    fill_any(row, random);
    std::vector<double> centers(k * d);
    for (double& c : centers) c = static_cast<double>(any_value<T>(random)) / 1.7;
    const Rows rows = rows_of(row, d);
    const Float32Filter float32({centers.data(), k, d}, rows.dtype);
    const Filtered result = filtered_row(rows, float32, *kernels().float32);
    const float error = float32.limit(0.0F, result.square) / 2;
    CHECK(std::isfinite(error));
    bool certain = true;
    for (std::size_t j = 0; j < k; ++j) {
        if (float32.norms()[j] == kInfinity) continue;  // a copy
        certain = certain &&
                  absolute(static_cast<Wide>(result.scores[j]) -
                           true_score(rows, centers.data() + j * d, float32)) <= static_cast<Wide>(error);
    }
    CHECK(certain);
    for (std::size_t j = k; j < result.scores.size(); ++j) CHECK(result.scores[j] == kInfinity);
}

TEST(every_score_is_within_the_proven_error) {
    Random random(1);
    std::size_t k = 1;
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for (const std::size_t d : feature_counts()) {
            k = k % 50 + 3;
            for_each_dtype([&](auto zero) {
                using T = decltype(zero);
                context() = name + " " + name_of(dtype_of<T>()) + " n_features=" + std::to_string(d);
                check_margin<T>(d, k, random);
            });
        }
    }
}

TEST(later_copies_of_a_centroid_are_left_out) {
    const std::vector<double> centers = {1, 2, 3, 4, 1, 2, 5, 6, 3, 4, 1, 2};
    const Float32Filter float32({centers.data(), 6, 2}, kFloat64);
    for (const std::size_t j : {0U, 1U, 3U}) CHECK(std::isfinite(float32.norms()[j]));
    for (const std::size_t j : {2U, 4U, 5U}) CHECK(float32.norms()[j] == kInfinity);
}

TEST(a_row_too_large_for_float32_is_not_filtered) {
    const std::vector<double> centers = {1, 2, 3, 4};
    const Float32Filter float32({centers.data(), 2, 2}, kFloat64);
    CHECK(float32.limit(0.0F, 1.0F) < 1e-3F);
    CHECK(float32.limit(0.0F, kInfinity) == kInfinity);
    CHECK(float32.limit(kInfinity, 1.0F) == kInfinity);
    CHECK(float32.limit(0.0F, std::numeric_limits<float>::quiet_NaN()) == kInfinity);
}

TEST(an_integer_origin_is_whole_and_within_the_dtype) {
    const std::vector<double> centers = {0.4, 254.7, -300, 1e6, 1.4, 255.2, -10, 1e7};
    const Float32Filter float32({centers.data(), 2, 4}, kUint16);
    const double expected[] = {1, 255, 0, 65535};
    CHECK(std::equal(expected, expected + 4, float32.origin()));
    CHECK(float32.scale() == 1);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
