// Assignment steps one after the other, with bounds carried along: each equal to brute force, whatever moved.
#include "assign/assigner.hpp"

#include <cmath>
#include <memory>

#include "assign/assign.hpp"
#include "check.hpp"
#include "filters/quantized_centers.hpp"
#include "reference.hpp"
#include "sequences.hpp"

namespace kmosaic::testing {
namespace {

struct Sequence {
    std::size_t n_rows;
    std::size_t n_features;
    std::size_t n_clusters;
    int n_steps;
};

// Lloyd's steps; in between a centroid leaps, labels are lost, two centroids fall together.
template <class T>
void check_sequence(const Sequence& s, Random& random) {
    const Values<T> values(image_like<T>(s.n_rows, s.n_features, s.n_clusters / 2 + 1, random));
    const Rows rows = rows_of(values, s.n_features);
    std::vector<double> centers;
    for (std::size_t j = 0; j < s.n_clusters; ++j)
        for (std::size_t f = 0; f < s.n_features; ++f)
            centers.push_back(value_at(rows, (j * 7919) % s.n_rows, f));
    struct Run {
        std::string cpu;
        Assigner assigner;
        std::vector<std::int32_t> labels;
        std::unique_ptr<AlwaysBounded> bounded;
        std::vector<std::int32_t> bounded_labels;
    };
    std::vector<std::unique_ptr<Run>> runs;
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        const std::vector<std::int32_t> none(s.n_rows, -1);
        const bool few_features = s.n_features <= kLowDimFeatures;
        runs.push_back(
            std::make_unique<Run>(Run{cpu, Assigner(rows), none,
                                      few_features ? nullptr : std::make_unique<AlwaysBounded>(rows), none}));
    }
    for (int step = 0; step < s.n_steps; ++step) {
        const Centers view{centers.data(), s.n_clusters, s.n_features};
        const std::vector<std::int32_t> expected = nearest_of_all(rows, view);
        for (const auto& run : runs) {
            context() = run->cpu + " " + name_of(dtype_of<T>()) + " step " + std::to_string(step) +
                        " n_features=" + std::to_string(s.n_features) +
                        " n_clusters=" + std::to_string(s.n_clusters);
            run->assigner.assign(view, run->labels.data(), threads(2));
            CHECK(run->labels == expected);
            if (run->bounded) run->bounded->assign(view, run->bounded_labels.data());
            CHECK(!run->bounded || run->bounded_labels == expected);
            for (std::size_t i = 0; i < s.n_rows; i += 1 + below(random, 300))
                run->labels[i] = run->bounded_labels[i] = -1;
        }
        centers = means_of(rows, expected, centers);
        if (step % 4 == 2) {
            const std::size_t j = below(random, s.n_clusters);
            for (std::size_t f = 0; f < s.n_features; ++f)
                centers[j * s.n_features + f] = value_at(rows, below(random, s.n_rows), f);
        }
        if (step % 5 == 3)
            std::copy_n(centers.begin(), s.n_features,
                        centers.begin() + static_cast<std::ptrdiff_t>((s.n_clusters - 1) * s.n_features));
    }
    select_kernels("");
}

TEST(steps_of_rows_with_pca_codes) {
    Random random(1);
    check_sequence<std::uint8_t>({4100, 200, 40, 13}, random);
    check_sequence<float>({4100, 193, 18, 6}, random);
    check_sequence<Float16>({4100, 193, 18, 6}, random);
    check_sequence<std::int8_t>({4100, 193, 18, 6}, random);
}

TEST(steps_of_rows_without_pca_codes) {
    Random random(2);
    check_sequence<std::uint8_t>({700, 60, 70, 13}, random);
    check_sequence<std::uint16_t>({500, 45, 20, 13}, random);
    check_sequence<float>({600, 101, 35, 13}, random);
    check_sequence<double>({500, 40, 9, 13}, random);
    check_sequence<std::int8_t>({700, 60, 70, 13}, random);
    check_sequence<std::int16_t>({500, 45, 20, 13}, random);
    check_sequence<Float16>({600, 101, 130, 13}, random);
    check_sequence<Bfloat16>({600, 101, 130, 13}, random);
}

// Enough steps for bounds to last, and to start anew after a leap.
TEST(steps_of_low_dimensional_rows) {
    Random random(8);
    check_sequence<float>({5000, 5, 12, 25}, random);
    check_sequence<double>({2500, 2, 30, 25}, random);
    check_sequence<Float16>({2500, 3, 30, 9}, random);
    check_sequence<std::int16_t>({2500, 4, 11, 9}, random);
    check_sequence<float>({700, 32, 300, 9}, random);
    check_sequence<std::uint8_t>({2500, 4, 11, 13}, random);
    check_sequence<std::uint8_t>({1200, 3, 290, 5}, random);
    check_sequence<std::uint16_t>({2500, 13, 12, 13}, random);
}

TEST(many_clusters_in_groups_of_several_panels) {
    Random random(3);
    check_sequence<std::uint8_t>({1500, 520, 300, 5}, random);
}

// Farther than groups' bounds reach, at once and little by little.
TEST(centroids_that_travel_far) {
    Random random(9);
    const std::size_t n = 600, d = 140, k = 40;
    const Values<std::uint8_t> values(image_like<std::uint8_t>(n, d, k, random));
    const Rows rows = rows_of(values, d);
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        Assigner assigner(rows);
        std::vector<std::int32_t> labels(n, -1);
        for (int step = 0; step < 22; ++step) {
            const double way = step % 7 == 6 ? 3000 : 60 * (step % 2);
            std::vector<double> centers;
            for (std::size_t j = 0; j < k; ++j)
                for (std::size_t f = 0; f < d; ++f)
                    centers.push_back(values[j * d + f] + (j % 3 == 0 ? way : 0) + normal(random));
            const Centers view{centers.data(), k, d};
            context() = cpu + " step " + std::to_string(step);
            assigner.assign(view, labels.data(), threads(2));
            CHECK(labels == nearest_of_all(rows, view));
        }
    }
    select_kernels("");
}

// Binary rows and centroids, whose codes are exact but for rounding in float64: a centroid whose score comes
// out a last bit too low must not win a tie.
TEST(ties_between_centroids_whose_codes_are_exact) {
    const std::size_t n = 40, d = 256;
    for (const double p : {1.0, 17.0, 100.0, 255.0}) {
        std::vector<double> numbers(n * d, 0.0);
        for (std::size_t i = 1; i < n; ++i)
            std::fill_n(numbers.begin() + static_cast<std::ptrdiff_t>(i * d), d / 2, p);
        const Values<std::uint8_t> values(numbers);
        const Rows rows = rows_of(values, d);
        for (std::size_t swapped = 3; swapped < 40; ++swapped) {
            // As far from the first row, which is 0, as the mean row is: as many features of p become 0 as of
            // 0 become p.
            std::vector<double> centers(numbers.begin() + d, numbers.begin() + 3 * d);
            const std::size_t n_swapped[] = {2, swapped};
            for (std::size_t j = 0; j < 2; ++j)
                for (std::size_t f = 0; f < n_swapped[j]; ++f)
                    std::swap(centers[j * d + f], centers[j * d + d / 2 + f]);
            const Centers view{centers.data(), 2, d};
            const std::vector<std::int32_t> expected = nearest_of_all(rows, view);
            for (const std::string& cpu : supported_variants()) {
                select_kernels(cpu);
                context() = cpu + " p=" + std::to_string(p) + " swapped=" + std::to_string(swapped);
                std::vector<std::int32_t> once(n, -1);
                std::vector<std::int32_t> again(n, -1);
                assign(rows, view, once.data(), threads(1));
                Assigner(rows).assign(view, again.data(), threads(1));
                CHECK(once == expected);
                CHECK(again == once);
            }
        }
    }
    select_kernels("");
}

// As planned for many clusters; no share is below 0.
double outside_share_for(const Rows& rows) {
    return choose_plan(rows, 100, kManySteps).pca_codes ? kMaxOutsideShare : -1;
}

// Rows, their PCA codes and quantised centroids, for tests of intervals.
struct Coded {
    Coded(const Rows& some_rows, const std::vector<double>& some_centers)
        : rows(some_rows),
          centers(some_centers),
          n_clusters(centers.size() / rows.n_features),
          codes(rows, kernels(), threads(1)),
          pca_codes(codes, outside_share_for(rows), kernels(), threads(1)),
          centroids(codes, pca_codes, kernels(), n_clusters, 16) {
        centroids.update({centers.data(), n_clusters, rows.n_features}, threads(1));
    }

    // |X - c|^2 - |X - m|^2 in the codes' units.
    [[nodiscard]] double score(std::size_t i, std::size_t j) const {
        const std::size_t d = rows.n_features;
        std::vector<double> row(d);
        std::vector<double> center(d);
        for (std::size_t f = 0; f < d; ++f) center[f] = value_at(rows, i, f);
        codes.to_code_units(center.data(), row.data());
        codes.to_code_units(centers.data() + j * d, center.data());
        double sum = 0;
        for (std::size_t f = 0; f < d; ++f)
            sum += std::pow(row[f] - center[f], 2) - std::pow(row[f] - pca_codes.mean()[f], 2);
        return sum;
    }

    [[nodiscard]] Interval fine(std::size_t i, std::size_t j) const {
        std::int32_t product = 0;
        RowCodes single(codes, 1);
        single.start(i);
        const BytePair pair{single[i], centroids.fine_codes(j)};
        kernels().bytes->dots(&pair, 1, codes.n_bytes(), &product);
        return centroids.score(i, j, product);
    }

    [[nodiscard]] Interval refined(std::size_t i, std::size_t j) const {
        std::int32_t product = 0;
        RowCodes single(codes, 1);
        single.start(i);
        const BytePair pair{single[i], centroids.residual_codes(j)};
        kernels().bytes->dots(&pair, 1, codes.n_bytes(), &product);
        return centroids.refined_score(i, j, fine(i, j), product);
    }

    // As kernels/bytes.cpp computes it, in float64.
    [[nodiscard]] Interval coarse(std::size_t i, std::size_t j) const {
        const auto lane = static_cast<std::size_t>(centroids.center_groups().lane_of[j]);
        const BytePanel panel = centroids.panel(lane / kPanelWidth);
        const std::size_t l = lane % kPanelWidth;
        double product = 0;
        RowCodes single(codes, 1);
        single.start(i);
        for (std::size_t f = 0; f < 4 * panel.n_quads; ++f)
            product += pca_codes.row(i, single)[f] * panel.codes[(f / 4 * kPanelWidth + l) * 4 + f % 4];
        const auto wide = [](float value) { return static_cast<double>(value); };
        const double score = wide(panel.constants[l]) - wide(panel.scales[l]) * product;
        const double error = wide(pca_codes.norm(i)) * wide(panel.norm_errors[l]) +
                             wide(pca_codes.outside_norm(i)) * wide(panel.outside_errors[l]) +
                             centroids.coarse_slack(i);
        return {score - error, score + error};
    }

    Rows rows;
    std::vector<double> centers;
    std::size_t n_clusters;
    QuantizedRows codes;
    PcaCodes pca_codes;
    QuantizedCenters centroids;
};

bool holds(const Interval& interval, double score) {
    return interval.low <= score && score <= interval.high;
}

double width(const Interval& interval) {
    return interval.high - interval.low;
}

// The position within the interval, 0 at its lower end.
double place_in(const Interval& interval, double score) {
    return (score - interval.low) / (interval.high - interval.low);
}

// LabelChanges of less than the last bit of what a centroid has moved since its rows were measured, which add
// up all the same: the first row's centroid goes away from it so slowly, and its rival, whose bound is its
// own, is soon the nearer.
TEST(moves_that_are_too_small_for_a_sum_in_float32) {
    constexpr std::size_t d = 64, n = 8;
    std::vector<double> numbers(n * d, 100.0);
    const double firsts[] = {100, 200, 0, 60, 140, 150, 50, 100};
    for (std::size_t i = 0; i < n; ++i) numbers[i * d] = firsts[i];
    const Values<std::uint8_t> values(numbers);
    const Rows rows = rows_of(values, d);
    std::vector<double> centers(2 * d, 100.0);
    centers[d] = 200;
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        context() = cpu;
        Assigner assigner(rows);
        std::vector<std::int32_t> labels(n, -1);
        const auto step_to = [&](double distance) {
            centers[1] = 100 + distance;
            assigner.assign({centers.data(), 2, d}, labels.data(), threads(1));
        };
        for (int still = 0; still < 15; ++still) step_to(0);
        for (const double distance : {120.0, 0.0, 99.999}) step_to(distance);
        for (int step = 1; step <= 600; ++step) step_to(99.999 + 3.7e-6 * step);
        CHECK(labels == nearest_of_all(rows, {centers.data(), 2, d}));
    }
    select_kernels("");
}

TEST(intervals_hold_the_scores_of_centroids_anywhere) {
    Random random(4);
    const std::size_t n = 4200, d = 210, k = 48;
    const Values<std::uint8_t> values(image_like<std::uint8_t>(n, d, k, random));
    std::vector<double> centers;
    for (std::size_t j = 0; j < k; ++j) {
        const double spread = std::ldexp(1.0, static_cast<int>(j % 12) - 3);
        for (std::size_t f = 0; f < d; ++f) centers.push_back(values[j * d + f] + spread * normal(random));
    }
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        const Coded coded(rows_of(values, d), centers);
        context() = cpu;
        CHECK(coded.pca_codes.projected());
        for (std::size_t i = 0; i < 60; ++i) {
            for (std::size_t j = 0; j < k; ++j) {
                CHECK(holds(coded.fine(i, j), coded.score(i, j)));
                CHECK(holds(coded.refined(i, j), coded.score(i, j)));
                CHECK(width(coded.refined(i, j)) < 0.02 * width(coded.fine(i, j)));
                CHECK(holds(coded.coarse(i, j), coded.score(i, j)));
            }
        }
    }
    select_kernels("");
}

// Centroids planted where the bounds are reached, not only obeyed. Coarse: a centroid on the line from the
// mean through row i has all that is outside the subspace in the row's own direction, where Cauchy and
// Schwarz have equality. Fine: a centroid whose every coordinate is rounded by an amount proportional to the
// row's; finer: one whose codes for that rounding leave such an amount.
TEST(scores_at_the_edge_of_an_interval_are_inside) {
    Random random(5);
    const std::size_t n = 4200, d = 210;
    // More groups than directions, so that something is outside the subspace.
    const Values<std::uint8_t> values(image_like<std::uint8_t>(n, d, 300, random));
    const Rows rows = rows_of(values, d);
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        const QuantizedRows codes(rows, kernels(), threads(1));
        const PcaCodes pca_codes(codes, outside_share_for(rows), kernels(), threads(1));
        const auto largest_code = static_cast<double>(kernels().bytes->largest_code);
        std::vector<double> on_the_line;
        std::vector<double> rounded;
        std::vector<double> rounded_twice;
        for (std::size_t i = 0; i < 20; ++i) {
            double largest = 0;
            std::vector<double> u(d);
            for (std::size_t f = 0; f < d; ++f) {
                u[f] = value_at(rows, i, f) - pca_codes.mean()[f];
                largest = std::max(largest, std::fabs(u[f]));
            }
            for (std::size_t f = 0; f < d; ++f) on_the_line.push_back(pca_codes.mean()[f] + 1.1 * u[f]);
            // Steps of exactly one, set by the feature that matters least to the row.
            std::size_t least = 0;
            for (std::size_t f = 0; f < d; ++f)
                if (std::fabs(u[f]) < std::fabs(u[least])) least = f;
            for (std::size_t f = 0; f < d; ++f) {
                const double code = f == least ? largest_code : static_cast<double>(below(random, 61)) - 30;
                const double rounding = f == least ? 0 : 0.499 * u[f] / largest;
                rounded.push_back(pca_codes.mean()[f] + code + rounding);
                const double residual_code = f == least ? 0 : static_cast<double>(below(random, 101)) - 50;
                rounded_twice.push_back(pca_codes.mean()[f] + code +
                                        (residual_code + rounding) / (2 * largest_code));
            }
        }
        const Coded coarse(rows, on_the_line);
        const Coded fine(rows, rounded);
        const Coded refined(rows, rounded_twice);
        for (std::size_t i = 0; i < 20; ++i) {
            context() = cpu + " row " + std::to_string(i);
            CHECK(holds(coarse.coarse(i, i), coarse.score(i, i)));
            CHECK(place_in(coarse.coarse(i, i), coarse.score(i, i)) < 0.35);
            CHECK(holds(fine.fine(i, i), fine.score(i, i)));
            CHECK(place_in(fine.fine(i, i), fine.score(i, i)) < 0.01);
            CHECK(holds(refined.refined(i, i), refined.score(i, i)));
            CHECK(place_in(refined.refined(i, i), refined.score(i, i)) < 0.01);
        }
    }
    select_kernels("");
}

// Rows of floats have codes with errors, of which an interval must hold all and, without PCA codes, need hold
// no more. Planted here: a centroid in the direction of what a row's codes leave of it, where Cauchy and
// Schwarz have equality. Some values are far out of the codes' range.
template <class T>
void check_errors_of_codes() {
    Random random(8);
    const std::size_t n = 300, d = 100;
    std::vector<double> numbers(n * d);
    for (double& value : numbers) value = normal(random);
    for (std::size_t i = 0; i < 10; ++i) numbers[i * d + i] = 100 << i;
    const Values<T> values(numbers);
    const Rows rows = rows_of(values, d);
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        const QuantizedRows codes(rows, kernels(), threads(1));
        const PcaCodes pca_codes(codes, outside_share_for(rows), kernels(), threads(1));
        std::vector<double> centers;
        for (std::size_t i = 0; i < 20; ++i) {
            std::vector<double> row(d);
            for (std::size_t f = 0; f < d; ++f) row[f] = value_at(rows, i, f);
            std::vector<double> coded(d);
            codes.to_code_units(row.data(), coded.data());
            RowCodes single(codes, 1);
            single.start(i);
            for (std::size_t f = 0; f < d; ++f) {
                const double direction = 50 * (coded[f] - single[i][f]) / static_cast<double>(codes.error(i));
                // The centre that to_code_units() maps there.
                centers.push_back(row[f] + (pca_codes.mean()[f] + direction - coded[f]) * codes.scale());
            }
        }
        const Coded all(rows, centers);
        CHECK(!all.pca_codes.projected());
        for (std::size_t i = 0; i < 20; ++i) {
            context() = cpu + " row " + std::to_string(i);
            CHECK(holds(all.coarse(i, i), all.score(i, i)));
            CHECK(holds(all.fine(i, i), all.score(i, i)));
            CHECK(holds(all.refined(i, i), all.score(i, i)));
            CHECK(place_in(all.refined(i, i), all.score(i, i)) < 0.01);
            CHECK(width(all.coarse(i, i)) < 1.01 * width(all.fine(i, i)));
        }
    }
    select_kernels("");
}

TEST(errors_of_codes_are_inside_an_interval_and_counted_once) {
    check_errors_of_codes<float>();
    check_errors_of_codes<Float16>();
    check_errors_of_codes<Bfloat16>();
}

// A step that was cut short leaves no bound behind that a later one could trust.
template <class T>
void check_interrupted(std::size_t n, std::size_t d, std::size_t k) {
    Random random(7);
    const Values<T> values(image_like<T>(n, d, k, random));
    const Rows rows = rows_of(values, d);
    std::vector<double> centers(values.data(), values.data() + k * d);
    std::vector<std::int32_t> labels(n, -1);
    Assigner assigner(rows);
    assigner.assign({centers.data(), k, d}, labels.data(), threads(1));
    centers = means_of(rows, labels, centers);
    for (int step = 0; step < 8; ++step) {
        int asked = 0;  // amid the centroids, or amid the rows
        const Parallel interrupted{1, [&] { return ++asked == step + 1; }};
        const std::string message = message_of<Interrupted>(
            [&] { assigner.assign({centers.data(), k, d}, labels.data(), interrupted); });
        CHECK(message == "interrupted");
        const std::vector<std::int32_t> expected = nearest_of_all(rows, {centers.data(), k, d});
        assigner.assign({centers.data(), k, d}, labels.data(), threads(2));
        CHECK(labels == expected);
        centers = means_of(rows, expected, centers);
    }
}

TEST(steps_after_one_that_was_interrupted) {
    check_interrupted<std::uint8_t>(4000, 140, 30);
    check_interrupted<float>(17000, 5, 9);
    check_interrupted<std::uint8_t>(17000, 5, 9);
}

// Many centroids closer to each other than the intervals are wide, so that the last stage decides every row.
TEST(centroids_closer_together_than_any_interval) {
    Random random(6);
    for (const std::size_t d : {40U, 200U}) {
        const std::size_t n = d == 200 ? 4096 : 300, k = 17;
        const Values<std::uint8_t> values(image_like<std::uint8_t>(n, d, 1, random));
        const Rows rows = rows_of(values, d);
        std::vector<double> centers;
        for (std::size_t j = 0; j < k; ++j)
            for (std::size_t f = 0; f < d; ++f)
                centers.push_back(values[f] + std::ldexp(normal(random), -30));
        const std::vector<std::int32_t> expected = nearest_of_all(rows, {centers.data(), k, d});
        for (const std::string& cpu : supported_variants()) {
            select_kernels(cpu);
            context() = cpu;
            Assigner assigner(rows);
            std::vector<std::int32_t> labels(n, -1);
            for (int call = 0; call < 2; ++call) {
                assigner.assign({centers.data(), k, d}, labels.data(), threads(2));
                CHECK(labels == expected);
            }
        }
    }
    select_kernels("");
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
