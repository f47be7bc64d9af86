// Rows of few features: labels against brute force, the filter's bound at its edge, and the recorded label
// changes.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "assign/assigner.hpp"
#include "assign/near_centers_assigner.hpp"
#include "check.hpp"
#include "filters/int16_filter.hpp"
#include "filters/lane_filter.hpp"
#include "reference.hpp"
#include "samples.hpp"
#include "sums.hpp"

namespace kmosaic::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Case {
    std::vector<double> rows;
    std::vector<double> centers;
    std::size_t n_features;

    [[nodiscard]] Centers view() const { return {centers.data(), centers.size() / n_features, n_features}; }
};

// Whatever labels rows had before, and how near its centroid a row is.
void check_from_any_labels(const Rows& rows, const Centers& centers,
                           const std::vector<std::int32_t>& expected) {
    Random random(rows.n_rows);
    std::vector<std::int32_t> labels(rows.n_rows);
    for (std::int32_t& label : labels)
        label = static_cast<std::int32_t>(below(random, centers.n_clusters + 1)) - 1;
    std::size_t n_wrong = 0;
    for (std::size_t i = 0; i < rows.n_rows; ++i) n_wrong += labels[i] != expected[i];
    NearCentersAssigner assigner(rows, kernels());
    CHECK(assigner.assign(centers, labels.data(), threads(2), nullptr) == n_wrong);
    CHECK(labels == expected);
    CHECK(assigner.assign(centers, labels.data(), threads(2), nullptr) == 0);
    CHECK(labels == expected);
}

template <class T>
void check_labels(const Case& c) {
    const std::string what = context();
    const Values<T> values(c.rows);
    const Rows rows = rows_of(values, c.n_features);
    const std::vector<std::int32_t> expected = nearest_of_all(rows, c.view());
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        context() = what + " " + name_of(dtype_of<T>()) + " on " + name +
                    " n_rows=" + std::to_string(rows.n_rows) + " n_features=" + std::to_string(c.n_features) +
                    " n_clusters=" + std::to_string(c.view().n_clusters);
        std::vector<std::int32_t> labels(rows.n_rows, -1);
        Assigner assigner(rows);
        CHECK(assigner.assign(c.view(), labels.data(), threads(2)) == rows.n_rows);
        CHECK(labels == expected);
        CHECK(assigner.assign(c.view(), labels.data(), threads(2)) == 0);
        check_from_any_labels(rows, c.view(), expected);
    }
    context() = what;
}

template <class T>
Case random_case(std::size_t n, std::size_t d, std::size_t k, Random& random) {
    Case c{{}, {}, d};
    for (std::size_t i = 0; i < n * d; ++i) c.rows.push_back(static_cast<double>(any_value<T>(random)));
    for (std::size_t i = 0; i < k * d; ++i)
        c.centers.push_back(
            (static_cast<double>(any_value<T>(random)) + static_cast<double>(any_value<T>(random))) / 2.3);
    return c;
}

TEST(random_rows_of_every_narrow_number_of_features) {
    Random random(1);
    std::size_t k = 1;
    for (std::size_t d = 1; d <= kLowDimFeatures; ++d) {
        for (const std::size_t n : {1U, 15U, 64U, 65U, 203U}) {
            k = k % 31 + 4;
            for_each_dtype([&](auto zero) {
                using T = decltype(zero);
                check_labels<T>(random_case<T>(n, d, k, random));
            });
        }
    }
}

// Chunks of features, and what is left of them.
constexpr std::size_t kLongRows[] = {33,  34,  35,  36,  63,  127, 128, 129,
                                     131, 132, 133, 256, 257, 300, 385, 1280};

TEST(random_rows_of_many_features) {
    Random random(13);
    std::size_t k = 1;
    for (const std::size_t d : kLongRows) {
        for (const std::size_t n : {1U, 64U, 130U}) {
            k = k % 9 + 1;
            for_each_dtype([&](auto zero) {
                using T = decltype(zero);
                check_labels<T>(random_case<T>(n, d, k, random));
            });
        }
    }
}

TEST(every_number_of_clusters) {
    Random random(2);
    for (std::size_t k = 1; k <= 100; k += k < 20 ? 1 : 9) {
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            check_labels<T>(random_case<T>(70, k % 7 + 1, k, random));
        });
    }
    check_labels<std::uint8_t>(random_case<std::uint8_t>(80, 3, 2500, random));
    check_labels<float>(random_case<float>(80, 5, 1201, random));
}

TEST(blocks_of_rows_and_the_rows_left_over) {
    Random random(3);
    for (const std::size_t n : {2047U, 2048U, 2049U, 6200U}) {
        check_labels<std::uint8_t>(random_case<std::uint8_t>(n, 3, 7, random));
        check_labels<std::uint16_t>(random_case<std::uint16_t>(n, 6, 5, random));
        check_labels<double>(random_case<double>(n, 2, 6, random));
    }
}

// Whole and half numbers: most rows lie exactly between several centroids.
TEST(lattices_of_ties_go_to_the_lowest_index) {
    Random random(4);
    for (const std::size_t d : {1U, 2U, 3U, 4U, 6U, 13U, 17U, 32U, 33U, 130U, 200U}) {
        Case c{{}, {}, d};
        for (std::size_t i = 0; i < 150 * d; ++i)
            c.rows.push_back(static_cast<double>(10 + below(random, 5)));
        for (std::size_t i = 0; i < 60 * d; ++i)
            c.centers.push_back(9.5 + static_cast<double>(below(random, 6)));
        for_each_dtype([&](auto zero) { check_labels<decltype(zero)>(c); });
    }
}

TEST(constant_rows_and_copies_of_centroids) {
    for (const std::size_t d : {1U, 3U, 5U, 32U, 33U, 140U}) {
        for (const double value : {0.0, 3.0, 255.0}) {
            Case c{std::vector<double>(70 * d, value), std::vector<double>(9 * d, value), d};
            for_each_dtype([&](auto zero) { check_labels<decltype(zero)>(c); });
            for (std::size_t f = 0; f < d; ++f) c.centers[f] = c.centers[5 * d + f] = 77.5;
            for_each_dtype([&](auto zero) { check_labels<decltype(zero)>(c); });
        }
    }
}

// No further than the oracle's 113 bits reach: tests/engines/test_low_dim.py goes on with fractions.
TEST(outliers_and_squares_beyond_float32) {
    Random random(5);
    for (const double size : {1e6, 1e12, 1e18, 1e24}) {
        Case c = random_case<float>(130, 4, 9, random);
        for (std::size_t i = below(random, 13); i < c.rows.size(); i += 13) c.rows[i] *= size;
        check_labels<float>(c);
        c.centers[below(random, c.centers.size())] *= size;
        check_labels<float>(c);
    }
    for (const double size : {1e-300, 1e-40, 1e12, 1e24}) {
        Case c = random_case<double>(130, 4, 9, random);
        for (std::size_t i = below(random, 13); i < c.rows.size(); i += 13) c.rows[i] *= size;
        check_labels<double>(c);
        c.centers[below(random, c.centers.size())] *= size;
        check_labels<double>(c);
    }
}

TEST(rows_far_from_zero) {
    Random random(6);
    for (const double offset : {1e5, -1e8, 1e12}) {
        Case c = random_case<double>(100, 3, 20, random);
        for (double& x : c.rows) x += offset;
        for (double& x : c.centers) x += offset;
        check_labels<double>(c);
        for (double& x : c.rows) x = static_cast<float>(x);
        check_labels<float>(c);
    }
}

TEST(integer_rows_and_centroids_outside_their_range) {
    Random random(7);
    for (const double far : {1e3, 1e5, 3e5, 1e6, -1e6, 1e7, 1e15, 1e39, -1e200}) {
        Case c = random_case<std::uint8_t>(90, 3, 12, random);
        for (std::size_t j = 0; j < 12; j += 5) c.centers[j * 3 + j % 3] = far;
        check_labels<std::uint8_t>(c);
        check_labels<std::uint16_t>(c);
    }
}

template <class T>
struct Filtered {
    std::vector<std::int32_t> labels;
    std::set<std::size_t> undecided;
};

template <class T>
Filtered<T> filtered(const Rows& rows, const LaneFilter& float32) {
    Filtered<T> result;
    result.labels.assign(rows.n_rows, -2);
    std::vector<std::uint32_t> list(rows.n_rows);
    const LaneCenters& c = float32.centroids();
    std::vector<float> scratch(lane_scratch(c.n_features, c.n_groups));
    const std::size_t n = kernels().lanes->nearest[rows.dtype](
        rows.row(0), rows.n_rows, c, result.labels.data(), list.data(), nullptr, scratch.data());
    result.undecided.insert(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(n));
    return result;
}

// Whether the int16 filter takes such rows.
template <class T>
constexpr bool kHasInt16 = std::is_same_v<T, std::uint8_t> || std::is_same_v<T, std::uint16_t>;

// The rows that the int16 filter leaves undecided; none where there are no kernels for it.
template <class T>
Filtered<T> filtered_in_int16(const Rows& rows, const Centers& centers) {
    Filtered<T> result;
    result.labels.assign(rows.n_rows, -2);
    std::vector<std::uint32_t> list(rows.n_rows);
    std::size_t n = 0;
    if constexpr (kHasInt16<T>) {
        const Int16Kernels& int16 = *kernels().int16;
        const Int16Filter float32(centers, rows.dtype, int16_range(rows, int16, threads(1)));
        list.resize(rows.n_rows + kInt16ListSpare);
        Int16Labels labels{result.labels.data(), false, 0, nullptr, list.data(), 0, 0};
        int16.nearest[rows.dtype](rows.row(0), rows.n_rows, float32.centroids(), labels);
        n = labels.n_undecided;
    }
    result.undecided.insert(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(n));
    return result;
}

// Labels of any kind before, of whole registers of rows and less: lists and labels are those that comparing
// them gives.
template <class T, class Label>
void check_int16_lists(std::size_t n, std::size_t d, Random& random) {
    constexpr std::size_t kFirst = 1000;
    const std::size_t k = 1 + below(random, 20);
    const Case c = random_case<T>(n, d, k, random);
    const Values<T> values(c.rows);
    const Rows rows = rows_of(values, d);
    const Filtered<T> wanted = filtered_in_int16<T>(rows, c.view());
    std::vector<Label> before(n);
    for (std::size_t i = 0; i < n; ++i)
        before[i] =
            static_cast<Label>(below(random, 4) ? wanted.labels[i] : static_cast<int>(below(random, 9)) - 1);
    const Int16Kernels& int16 = *kernels().int16;
    const Int16Filter float32(c.view(), rows.dtype, int16_range(rows, int16, threads(1)));
    std::vector<Label> after = before;
    std::vector<std::uint32_t> undecided(n + kInt16ListSpare);
    std::vector<MovedRow> moved(n + kInt16ListSpare);
    Int16Labels labels{after.data(), sizeof(Label) == 1, kFirst, moved.data(), undecided.data(), 0, 0};
    int16.nearest[rows.dtype](rows.row(0), n, float32.centroids(), labels);
    std::size_t n_moved = 0;
    bool right = labels.n_undecided == wanted.undecided.size();
    for (std::size_t i = 0; i < n; ++i) {
        const bool changes =
            !wanted.undecided.contains(i) && before[i] != static_cast<Label>(wanted.labels[i]);
        right = right && after[i] == (changes ? static_cast<Label>(wanted.labels[i]) : before[i]);
        if (!changes) continue;
        const MovedRow& row = moved[n_moved++];
        const auto from = static_cast<std::uint32_t>(before[i]);
        right = right && row.row == kFirst + i && row.from == std::min(from, static_cast<std::uint32_t>(k)) &&
                row.to == static_cast<std::uint32_t>(wanted.labels[i]);
    }
    for (std::size_t u = 0; u < labels.n_undecided; ++u)
        right = right && wanted.undecided.contains(undecided[u]);
    CHECK(right && labels.n_moved == n_moved);
}

TEST(int16_kernels_list_the_rows_whose_label_they_write) {
    Random random(12);
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        CHECK((kernels().int16 != nullptr) == name.starts_with("avx512"));
        if (!kernels().int16) continue;
        for (const std::size_t n : {1U, 5U, 16U, 31U, 32U, 33U, 63U, 64U, 65U, 200U, 1000U}) {
            for (const std::size_t d : {1U, 3U, 4U, 6U, 9U, 13U, 16U, 17U, 32U}) {
                context() = name + " n=" + std::to_string(n) + " n_features=" + std::to_string(d);
                check_int16_lists<std::uint8_t, std::uint8_t>(n, d, random);
                check_int16_lists<std::uint8_t, std::int32_t>(n, d, random);
                check_int16_lists<std::uint16_t, std::uint8_t>(n, d, random);
                check_int16_lists<std::uint16_t, std::int32_t>(n, d, random);
            }
        }
    }
}

// Centroids in mirror image round the first row, and one beside another, from far within the bound to far
// beyond it: whatever the filter decides must be right.
template <class T>
void check_edge(std::size_t d, Random& random) {
    std::size_t decided = 0;
    bool right = true;
    for (int exponent = -30; exponent <= -4; ++exponent) {
        constexpr std::size_t kRows = 32;
        Values<T> values(kRows * d);
        fill_any(values, random);
        const Rows rows = rows_of(values, d);
        std::vector<double> centers(5 * d);
        for (std::size_t f = 0; f < d; ++f) {
            const double x = value_at(rows, 0, f);
            const double away = (kIsInteger<T> ? 20 : 0.1) * uniform(random);
            centers[f] = x + away;
            centers[d + f] = x - away * (1 + std::ldexp(uniform(random), exponent));
            centers[2 * d + f] = centers[f] + away * std::ldexp(uniform(random) - 0.5, exponent);
            centers[3 * d + f] = static_cast<double>(any_value<T>(random));
            centers[4 * d + f] = x - away;
        }
        const Centers view{centers.data(), 5, d};
        const LaneFilter float32(view, rows.dtype);
        std::vector<Filtered<T>> filters = {filtered<T>(rows, float32)};
        if (kHasInt16<T> && d <= kLowDimFeatures && kernels().int16)
            filters.push_back(filtered_in_int16<T>(rows, view));
        for (const Filtered<T>& found : filters) {
            for (std::size_t i = 0; i < kRows; ++i) {
                if (found.undecided.contains(i)) continue;
                ++decided;
                right = right && found.labels[i] == nearest(rows, i, view);
            }
        }
    }
    CHECK(right);
    CHECK(decided > 0);
}

TEST(what_the_filter_decides_at_the_edge_of_its_bound_is_right) {
    Random random(8);
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        std::vector<std::size_t> sizes(kLowDimFeatures);
        std::iota(sizes.begin(), sizes.end(), std::size_t{1});
        sizes.insert(sizes.end(), std::begin(kLongRows), std::end(kLongRows));
        for (const std::size_t d : sizes) {
            for_each_dtype([&](auto zero) {
                using T = decltype(zero);
                context() = name + " " + name_of(dtype_of<T>()) + " n_features=" + std::to_string(d);
                for (int repeat = 0; repeat < (d > kLowDimFeatures ? 1 : 3); ++repeat)
                    check_edge<T>(d, random);
            });
        }
    }
}

// Two centroids at -1 and 1 in every feature: a row of x in every feature has scores 4 d x s^2 apart. `share`
// is that gap in units of what must separate a decided row's scores, which near zero is the constant alone.
std::size_t undecided_at(double share, std::size_t d) {
    std::vector<double> centers(2 * d, 1.0);
    std::fill_n(centers.begin(), d, -1.0);
    const LaneFilter float32({centers.data(), 2, d}, kFloat64);
    const LaneCenters& c = float32.centroids();
    const double x =
        share * static_cast<double>(c.constant) / (4 * static_cast<double>(d) * c.scale * c.scale);
    const Values<double> row(std::vector<double>(d, x));
    const Filtered<double> found = filtered<double>(rows_of(row, d), float32);
    CHECK(!found.undecided.empty() || found.labels[0] == 1);
    return found.undecided.size();
}

TEST(a_gap_within_the_bound_is_left_undecided_and_one_beyond_is_not) {
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for (const std::size_t d : {1U, 3U, 8U, 32U, 128U, 131U, 400U}) {
            context() = name + " n_features=" + std::to_string(d);
            CHECK(undecided_at(0.0, d) == 1);
            CHECK(undecided_at(0.5, d) == 1);
            CHECK(undecided_at(2.0, d) == 0);
        }
    }
}

// A filter that decided nothing would be as right as any.
TEST(few_ordinary_rows_are_undecided) {
    Random random(11);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        for (const std::size_t d : {1U, 3U, 6U, 32U, 33U, 129U, 500U}) {
            context() = name_of(dtype_of<T>()) + " n_features=" + std::to_string(d);
            const Case c = random_case<T>(2000, d, 16, random);
            const Values<T> values(c.rows);
            const Rows rows = rows_of(values, d);
            const LaneFilter float32(c.view(), rows.dtype);
            CHECK(filtered<T>(rows, float32).undecided.size() < 20);
            if (kHasInt16<T> && d <= kLowDimFeatures && kernels().int16)
                CHECK(filtered_in_int16<T>(rows, c.view()).undecided.size() < 100);
        }
    });
}

TEST(later_copies_and_places_left_over_never_win) {
    const std::vector<double> centers = {1, 2, 3, 4, 1, 2, 5, 6, 3, 4};
    const LaneFilter float32({centers.data(), 5, 2}, kFloat64);
    const float* norms = float32.centroids().norms;
    CHECK(float32.centroids().n_groups == 2);
    for (const std::size_t j : {0U, 1U, 3U}) CHECK(std::isfinite(norms[j]));
    for (const std::size_t j : {2U, 4U, 5U, 6U, 7U}) CHECK(norms[j] == kInfinity);
}

TEST(origins_are_whole_for_integers_and_float32_for_float32) {
    const std::vector<double> centers = {0.4, 254.7, -300, 1e6, 0.1, 255.2, -10, 1e7};
    const LaneFilter whole({centers.data(), 2, 4}, kUint16);
    const double expected[] = {0, 255, 0, 65535};
    CHECK(std::equal(expected, expected + 4, whole.centroids().origin));
    CHECK(whole.centroids().scale == 1);
    const LaneFilter with_sign({centers.data(), 2, 4}, kInt8);
    const double expected_with_sign[] = {0, 127, -128, 127};
    CHECK(std::equal(expected_with_sign, expected_with_sign + 4, with_sign.centroids().origin));
    const LaneFilter real({centers.data(), 2, 4}, kFloat32);
    for (std::size_t f = 0; f < 4; ++f) {
        const double origin = real.centroids().origin[f];
        CHECK(origin == static_cast<double>(static_cast<float>(origin)));
    }
}

// Sums updated by label changes alone are those of all rows, and rows that stand for many change as many
// labels.
TEST(moves_are_the_labels_that_changed) {
    Random random(9);
    const Case c = random_case<std::uint8_t>(5000, 3, 6, random);
    const Values<std::uint8_t> values(c.rows);
    std::vector<std::uint32_t> counts(5000);
    for (std::uint32_t& count : counts) count = static_cast<std::uint32_t>(1 + below(random, 9));
    Rows rows = rows_of(values, 3);
    for (const bool counted : {false, true}) {
        rows.counts = counted ? counts.data() : nullptr;
        ClusterSums sums = empty_sums(rows, 6);
        sums.add_squares(rows, threads(1));
        std::vector<std::int32_t> labels(rows.n_rows, -1);
        for (const bool first : {true, false}) {
            std::vector<std::int32_t> before = labels;
            Case moved = c;
            if (!first) moved.centers[4] += 30;
            LabelChanges changes(rows, sums.sums());
            const std::size_t changed =
                Assigner(rows).assign(moved.view(), labels.data(), threads(3), &changes);
            std::size_t expected = 0;
            for (std::size_t i = 0; i < rows.n_rows; ++i)
                expected += before[i] != labels[i] ? rows.count(i) : 0;
            CHECK(changed == expected && changed > 0);
            sums.apply(changes, labels.data(), threads(2));
            CHECK(same_bits(facts(sums, 1), facts(sums_of(rows, 6, labels, 1))));
        }
    }
}

TEST(rows_at_every_alignment) {
    Random random(10);
    for (const std::size_t d : {3U, 6U, 16U, 17U, 37U}) {
        const Case c = random_case<std::uint8_t>(150, d, 9, random);
        const Values<std::uint8_t> aligned(c.rows);
        const std::vector<std::int32_t> expected = nearest_of_all(rows_of(aligned, d), c.view());
        for (std::size_t offset = 0; offset < 64; ++offset) {
            context() = "offset " + std::to_string(offset);
            std::vector<std::uint8_t> memory(150 * d + offset);
            std::copy_n(aligned.data(), 150 * d, memory.data() + offset);
            std::vector<std::int32_t> labels(150, -1);
            Assigner({memory.data() + offset, kUint8, 150, d, nullptr})
                .assign(c.view(), labels.data(), threads(1));
            CHECK(labels == expected);
        }
    }
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
