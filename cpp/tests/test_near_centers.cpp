// Rows that meet only the centroids near their last one: labels against brute force while centroids move, and when
// that way is taken.
#include <algorithm>
#include <cmath>

#include "assign/assigner.hpp"
#include "assign/near_centers_assigner.hpp"
#include "check.hpp"
#include "reference.hpp"
#include "samples.hpp"
#include "sequences.hpp"

namespace kmosaic::testing {
namespace {

// Blobs of unlike sizes: near centroids are few.
template <class T>
std::vector<double> blobs(std::size_t n, std::size_t d, std::size_t n_blobs, Random& random) {
    const double size = kIsInteger<T> ? 200 : 1;
    std::vector<double> places(n_blobs * d);
    for (double& value : places) value = size * uniform(random);
    std::vector<double> rows(n * d);
    for (std::size_t i = 0; i < n; ++i) {
        const std::size_t blob = below(random, n_blobs);
        for (std::size_t f = 0; f < d; ++f) {
            const double spread = size / 60 * static_cast<double>(1 + blob % 7);
            const double value = places[blob * d + f] + spread * (uniform(random) - 0.5);
            rows[i * d + f] = kIsInteger<T> ? std::clamp(std::round(value), 0.0, 255.0) : value;
        }
    }
    return rows;
}

struct Size {
    std::size_t n, d, k;
};

// Steps of k-means, some of them with a few labels forgotten, a centroid thrown far away or copied.
template <class T>
void check_steps(const Size& size, std::size_t n_threads, Random& random) {
    const Values<T> values(blobs<T>(size.n, size.d, size.k + 3, random));
    const Rows rows = rows_of(values, size.d);
    std::vector<double> centers(size.k * size.d);
    for (std::size_t j = 0; j < size.k; ++j)
        for (std::size_t f = 0, i = below(random, size.n); f < size.d; ++f)
            centers[j * size.d + f] = value_at(rows, i, f);
    NearCentersAssigner assigner(rows, kernels());
    std::vector<std::int32_t> labels(size.n, -1);
    for (int step = 0; step < 8; ++step) {
        const Centers view{centers.data(), size.k, size.d};
        const std::vector<std::int32_t> expected = nearest_of_all(rows, view);
        std::size_t n_changed = 0;
        for (std::size_t i = 0; i < size.n; ++i) n_changed += labels[i] != expected[i];
        CHECK(assigner.assign(view, labels.data(), threads(n_threads), nullptr) == n_changed);
        CHECK(labels == expected);
        centers = means_of(rows, labels, centers);
        const std::size_t j = below(random, size.k);
        if (step == 2)
            for (std::size_t i = 0; i < size.n; i += 5)
                labels[i] = static_cast<std::int32_t>(below(random, size.k + 2)) - 1;
        if (step == 4)
            for (std::size_t f = 0; f < size.d; ++f) centers[j * size.d + f] += 1e6 * uniform(random);
        if (step == 5)
            for (std::size_t f = 0; f < size.d; ++f) centers[j * size.d + f] = centers[f];
    }
}

TEST(labels_while_centroids_move) {
    const Size sizes[] = {{300, 1, 40},  {500, 2, 90},  {400, 3, 5},    {900, 8, 120},  {130, 16, 2},
                          {400, 33, 60}, {300, 66, 40}, {200, 129, 30}, {150, 140, 33}, {70, 300, 20}};
    Random random(1);
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for (const Size& size : sizes) {
            for_each_dtype([&](auto zero) {
                using T = decltype(zero);
                context() = name + " " + name_of(dtype_of<T>()) + " n=" + std::to_string(size.n) +
                            " n_features=" + std::to_string(size.d) + " n_clusters=" + std::to_string(size.k);
                check_steps<T>(size, 1 + below(random, 3), random);
            });
        }
    }
    select_kernels("");
}

// More rows than are grouped at a time, and clusters that several tasks share.
TEST(many_rows) {
    Random random(2);
    const std::size_t n = (std::size_t{1} << 20) + 5000;
    Values<std::uint8_t> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::uint8_t>(below(random, 256));
    const Rows rows = rows_of(values, 1);
    const std::vector<double> centers = {3.5, 100, 101, 250.25, 180};
    const Centers view{centers.data(), 5, 1};
    std::vector<std::int32_t> labels(n);
    for (std::size_t i = 0; i < n; ++i) labels[i] = static_cast<std::int32_t>(below(random, 5));
    NearCentersAssigner assigner(rows, kernels());
    assigner.assign(view, labels.data(), threads(3), nullptr);
    CHECK(labels == nearest_of_all(rows, view));
}

TEST(the_assigner_looks_for_near_centroids_and_starts_anew_without_labels) {
    Random random(3);
    const std::size_t n = 6000, d = 6, k = 600;
    const Values<float> values(blobs<float>(n, d, k, random));
    const Rows rows = rows_of(values, d);
    std::vector<double> centers(k * d);
    for (std::size_t i = 0; i < k * d; ++i) centers[i] = values[i];
    Assigner assigner(rows);
    const auto n_steps = [&](Path path) { return assigner.n_steps()[static_cast<std::size_t>(path)]; };
    std::vector<std::int32_t> labels(n, -1);
    for (int step = 0; step < 3; ++step) {
        assigner.assign({centers.data(), k, d}, labels.data(), threads(2));
        CHECK(labels == nearest_of_all(rows, {centers.data(), k, d}));
        centers = means_of(rows, labels, centers);
    }
    context() = assigner.plan().reason;
    CHECK(assigner.plan().path == Path::kNearCenters && assigner.plan().bounds);
    CHECK(n_steps(Path::kFloat32) == 1 && n_steps(Path::kNearCenters) == 2);
    labels.assign(n, -1);
    assigner.assign({centers.data(), k, d}, labels.data(), threads(2));
    CHECK(assigner.plan().path == Path::kFloat32 && n_steps(Path::kFloat32) == 2);
    assigner.assign({centers.data(), k, d}, labels.data(), threads(2));
    CHECK(n_steps(Path::kNearCenters) == 3);
    CHECK(labels == nearest_of_all(rows, {centers.data(), k, d}));
}

TEST(what_pays) {
    const Rows rows{nullptr, kFloat32, 100000, 50, nullptr};
    Plan plan = choose_plan(rows, 1000, kManySteps);
    CHECK(near_centers_may_pay(plan, rows, 1000));
    record_near_share(plan, rows, 1000, 0.9);
    CHECK(plan.path == Path::kBoundedInt8 && plan.reason.find("90%") != std::string::npos);
    record_near_share(plan, rows, 1000, 0.05);
    CHECK(plan.path == Path::kNearCenters && plan.reason.find("5%") != std::string::npos);
    const Rows few{nullptr, kFloat32, 100000, 3, nullptr};
    CHECK(!near_centers_may_pay(choose_plan(few, 8, kManySteps), few, 8));
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
