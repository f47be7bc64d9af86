// Values that are not finite: nothing is read or written out of bounds (AddressSanitizer), nothing is
// undefined (UndefinedBehaviourSanitizer), finite rows have their labels, and the others have the lowest.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "assign/assign.hpp"
#include "assign/assigner.hpp"
#include "assign/near_centers_assigner.hpp"
#include "check.hpp"
#include "core/hash_order.hpp"
#include "exact/distances.hpp"
#include "extras/nearest_rows.hpp"
#include "reference.hpp"
#include "samples.hpp"
#include "seeding/kmeans_plus_plus.hpp"
#include "update/cluster_sums.hpp"
#include "update/slice_spacings.hpp"

namespace kmosaic::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// The squares of the largest overflow, those of the least underflow.
constexpr std::array kStrange = {kNaN, kInfinity, -kInfinity};
constexpr std::array kExtreme = {1e308, -1e308, 1e200, 5e-324, 1e-310, -1e-200};

Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

struct Shape {
    std::size_t n_rows, n_features, n_clusters;
};

// Low-dimensional rows, rows with bounds, and rows of the float32 filter.
constexpr std::array kShapes = {Shape{1, 1, 1},   Shape{40, 1, 3},   Shape{50, 3, 60},
                                Shape{70, 8, 5},  Shape{90, 32, 7},  Shape{40, 33, 1},
                                Shape{90, 40, 4}, Shape{60, 64, 40}, Shape{99, 100, 9}};
// Rows with PCA codes, and rows and centroids for one pass.
constexpr Shape kWithPcaCodes = {4200, 200, 20};
constexpr Shape kOnePass = {8200, 33, 520};

template <class T>
struct Case {
    Case(const Shape& shape, Random& random)
        : values(shape.n_rows * shape.n_features), centers(shape.n_clusters * shape.n_features) {
        fill_any(values, random);
        for (double& value : centers) value = 2 * uniform(random) - 1;
    }

    Values<T> values;
    std::vector<double> centers;
};

// Every seventh row gets such a value; tells which.
template <class T>
std::vector<bool> spoil(Values<T>& values, std::size_t n_features, Random& random) {
    std::vector<bool> spoilt(values.size() / n_features, false);
    for (std::size_t i = 0; i < spoilt.size(); i += 7) {
        spoilt[i] = true;
        const auto value = static_cast<T>(kStrange[below(random, kStrange.size())]);
        for (std::size_t f = below(random, n_features); f < n_features; f += 1 + below(random, n_features))
            values[i * n_features + f] = value;
    }
    return spoilt;
}

template <class T>
void check_labels_of_strange_rows(const Shape& shape, Random& random) {
    Case<T> c(shape, random);
    const std::vector<bool> spoilt = spoil(c.values, shape.n_features, random);
    const Rows rows = rows_of(c.values, shape.n_features);
    const Centers centers{c.centers.data(), shape.n_clusters, shape.n_features};
    std::vector<std::int32_t> expected(shape.n_rows, 0);
    for (std::size_t i = 0; i < shape.n_rows; ++i)
        if (!spoilt[i]) expected[i] = nearest(rows, i, centers);
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        context() = cpu + ", " + std::to_string(shape.n_rows) + " x " + std::to_string(shape.n_features);
        std::vector<std::int32_t> labels(shape.n_rows, -1);
        assign(rows, centers, labels.data(), threads(2));
        CHECK(labels == expected);
        Assigner assigner(rows);
        for (int step = 0; step < 3; ++step) {
            labels.assign(shape.n_rows, step - 1);
            assigner.assign(centers, labels.data(), threads(2));
            CHECK(labels == expected);
        }
        for (const std::int32_t label : {0, static_cast<std::int32_t>(shape.n_clusters) - 1}) {
            labels.assign(shape.n_rows, label);
            NearCentersAssigner(rows, kernels()).assign(centers, labels.data(), threads(2), nullptr);
            CHECK(labels == expected);
        }
    }
}

TEST(rows_with_nan_or_infinity_have_the_lowest_label_and_the_others_theirs) {
    Random random(1);
    for (const Shape& shape : kShapes) {
        check_labels_of_strange_rows<float>(shape, random);
        check_labels_of_strange_rows<double>(shape, random);
    }
}

// Rows become strange between one step and the next, after bounds and codes were made of them; and centroids
// are as far away as float64 goes.
template <class T>
void check_changing_rows(const Shape& shape, Random& random) {
    Case<T> c(shape, random);
    const Rows rows = rows_of(c.values, shape.n_features);
    const Centers centers{c.centers.data(), shape.n_clusters, shape.n_features};
    Assigner assigner(rows);
    std::vector<std::int32_t> labels(shape.n_rows, -1);
    for (int step = 0; step < 8; ++step) {
        if constexpr (!kIsInteger<T>)
            if (step == 2) spoil(c.values, shape.n_features, random);
        for (std::size_t i = 0; step > 3 && i < c.centers.size();
             i += 1 + below(random, 2 * shape.n_features))
            c.centers[i] = kExtreme[below(random, kExtreme.size())];
        std::vector<std::int32_t> once(shape.n_rows, -1);
        assigner.assign(centers, labels.data(), threads(2));
        assign(rows, centers, once.data(), threads(1));
        for (const auto& found : {labels, once})
            for (const std::int32_t label : found)
                CHECK(label >= 0 && static_cast<std::size_t>(label) < shape.n_clusters);
    }
}

TEST(labels_stay_within_the_clusters_whatever_rows_and_centroids_turn_into) {
    Random random(2);
    for (const Shape& shape : kShapes)
        for (const std::string& cpu : supported_variants()) {
            select_kernels(cpu);
            for_each_dtype([&](auto zero) { check_changing_rows<decltype(zero)>(shape, random); });
        }
}

TEST(rows_of_many_features_or_clusters_stay_within_them_too) {
    Random random(4);
    select_kernels("");
    check_changing_rows<float>(kWithPcaCodes, random);
    Case<float> c(kOnePass, random);
    spoil(c.values, kOnePass.n_features, random);
    std::vector<std::int32_t> labels(kOnePass.n_rows, -1);
    assign(rows_of(c.values, kOnePass.n_features),
           {c.centers.data(), kOnePass.n_clusters, kOnePass.n_features}, labels.data(), threads(2));
    CHECK(std::all_of(labels.begin(), labels.end(), [](std::int32_t label) {
        return label >= 0 && static_cast<std::size_t>(label) < kOnePass.n_clusters;
    }));
}

TEST(what_is_nearest_to_a_centroid_that_is_no_point_is_refused) {
    Values<float> values(8);
    const Rows rows = rows_of(values, 2);
    for (const double strange : kStrange) {
        const std::vector<double> numbers = {0, 0, 1, strange};
        const Centers centers{numbers.data(), 2, 2};
        std::vector<std::int32_t> labels(4, -1);
        std::vector<double> squares(4);
        const auto refused = [](const std::function<void()>& action) {
            return !message_of<std::invalid_argument>(action).empty();
        };
        CHECK(refused([&] { assign(rows, centers, labels.data(), threads(1)); }));
        CHECK(refused([&] { Assigner(rows).assign(centers, labels.data(), threads(1)); }));
        CHECK(refused(
            [&] { nearest_rows(rows, centers, {1, kNotOwn}, {labels.data(), squares.data()}, threads(1)); }));
    }
}

template <class T>
void check_everything_else(const Shape& shape, Random& random) {
    Case<T> c(shape, random);
    spoil(c.values, shape.n_features, random);
    const Rows rows = rows_of(c.values, shape.n_features);
    for (std::size_t i = 0; i < c.centers.size(); i += 3)
        c.centers[i] = kExtreme[below(random, kExtreme.size())];
    const Centers centers{c.centers.data(), shape.n_clusters, shape.n_features};

    std::vector<std::int32_t> indices(shape.n_rows * shape.n_clusters, -1);
    std::vector<double> squares(indices.size());
    nearest_rows(rows, centers, {shape.n_clusters, kNotOwn}, {indices.data(), squares.data()}, threads(2));
    for (const std::int32_t index : indices)
        CHECK(index >= 0 && static_cast<std::size_t>(index) < shape.n_clusters);
    squared_distances(rows, centers, squares.data(), threads(2));

    const HashOrder order = hash_order(rows, threads(2));
    CHECK(order.rows.size() == shape.n_rows);
    Assigner assigner(rows);
    const std::optional<CodedRows> coded = assigner.code_for_seeds(3, threads(2));
    for (const CodedRows* codes : {coded ? &*coded : nullptr, static_cast<const CodedRows*>(nullptr)}) {
        Seeder seeder(rows, order.rows.data(), codes);
        const std::vector<std::size_t> candidates = {0, shape.n_rows / 2, shape.n_rows - 1};
        for (int seed = 0; seed < 3; ++seed) CHECK(seeder.add_best(candidates, threads(2)) < shape.n_rows);
        for (const std::size_t row : seeder.draw({0.0, 0.5, 1.0, kNaN, -1.0, kInfinity}))
            CHECK(row < shape.n_rows);
    }

    const ValueRange range = range_of_reals(rows, threads(2));
    const std::vector<double> origin = exact_origin(range.low, range.high);
    for (const std::vector<double>& spacings :
         std::vector<std::vector<double>>{{0x1p-40}, {kNaN, 0.0, -1.0}}) {
        ClusterSums sums(shape.n_clusters, origin, spacings);
        const std::vector<std::int32_t> labels(shape.n_rows, static_cast<std::int32_t>(shape.n_clusters - 1));
        sums.add(rows, labels.data(), threads(2));
        sums.add_squares(rows, threads(2));
        sums.move(rows, 0, shape.n_clusters - 1, 0);
        std::vector<double> means = c.centers;
        sums.update(means.data(), threads(2));
        CHECK(!(sums.inertia(centers, threads(2)).value < 0));
    }
}

TEST(neighbours_seeds_and_sums_of_strange_rows_stay_within_their_arrays) {
    Random random(3);
    for (const Shape& shape : kShapes) {
        for (const std::string& cpu : supported_variants()) {
            select_kernels(cpu);
            check_everything_else<float>(shape, random);
            check_everything_else<double>(shape, random);
        }
    }
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
