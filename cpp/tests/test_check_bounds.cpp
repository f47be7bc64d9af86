// The check of carried bounds: fits of several kinds of data pass it after every step, and false bounds do
// not.
#include "assign/check_bounds.hpp"

#include <cmath>
#include <optional>

#include "assign/assigner.hpp"
#include "assign/bounded_worker.hpp"
#include "check.hpp"
#include "sequences.hpp"

namespace kmosaic::testing {
namespace {

struct Fit {
    std::size_t n_rows;
    std::size_t n_features;
    std::size_t n_clusters;
    int n_steps;
};

// Lloyd's steps from the first rows. Every step checks its bounds and aborts on one that does not hold. Now
// and then a few centroids leap, which makes them fast centres.
template <class T>
void check_fit(const Fit& fit, Random& random) {
    const Values<T> values(image_like<T>(fit.n_rows, fit.n_features, fit.n_clusters / 2 + 1, random));
    const Rows rows = rows_of(values, fit.n_features);
    for (const std::string cpu : {"", "scalar"}) {
        select_kernels(cpu);
        Assigner assigner(rows);
        std::optional<AlwaysBounded> bounded;
        if (fit.n_features > kLowDimFeatures) bounded.emplace(rows);
        std::vector<std::int32_t> labels(fit.n_rows, -1);
        std::vector<std::int32_t> bounded_labels = labels;
        std::vector<double> centers;
        for (std::size_t i = 0; i < fit.n_clusters * fit.n_features; ++i)
            centers.push_back(static_cast<double>(values[i]));
        for (int step = 0; step < fit.n_steps; ++step) {
            const Centers view{centers.data(), fit.n_clusters, fit.n_features};
            context() = cpu + " " + name_of(dtype_of<T>()) + " step " + std::to_string(step);
            assigner.assign(view, labels.data(), threads(2));
            if (bounded) bounded->assign(view, bounded_labels.data());
            const std::vector<std::int32_t> expected = nearest_of_all(rows, view);
            CHECK(labels == expected && (!bounded || bounded_labels == expected));
            centers = means_of(rows, labels, centers);
            for (std::size_t leap = 0; step % 6 == 5 && leap < fit.n_clusters / 16; ++leap) {
                const std::size_t j = below(random, fit.n_clusters);
                const std::size_t i = below(random, fit.n_rows);
                for (std::size_t f = 0; f < fit.n_features; ++f)
                    centers[j * fit.n_features + f] = value_at(rows, i, f);
            }
        }
    }
    select_kernels("");
}

TEST(the_bounds_of_fits_hold_after_every_step) {
    Random random(21);
    check_fit<std::uint8_t>({4100, 200, 70, 14}, random);
    check_fit<std::uint8_t>({900, 520, 200, 14}, random);
    check_fit<std::uint16_t>({900, 45, 20, 14}, random);
    check_fit<float>({900, 128, 64, 14}, random);
    check_fit<Float16>({300, 128, 100, 6}, random);
    check_fit<std::int8_t>({300, 130, 70, 6}, random);
    check_fit<double>({700, 40, 9, 14}, random);
}

TEST(the_margins_of_low_dimensional_fits_hold_after_every_step) {
    Random random(22);
    check_fit<float>({3000, 5, 12, 25}, random);
    check_fit<float>({1500, 16, 40, 25}, random);
    check_fit<double>({1500, 2, 30, 25}, random);
}

// The state after a first step of some rows of floats.
struct Stepped {
    Stepped()
        : values(image_like<float>(600, 128, 20, random)),
          rows(rows_of(values, 128)),
          codes(rows, kernels(), threads(1)),
          pca_codes(codes, kernels(), threads(1)),
          state(rows, {kernels(), codes, pca_codes}, 8) {
        for (std::size_t i = 0; i < 40 * 128; ++i) numbers.push_back(static_cast<double>(values[i]));
        std::vector<std::int32_t> labels(rows.n_rows, -1);
        state.start(centers().n_clusters);
        state.centers.front().update(centers(), threads(1));
        BoundedWorker(state, centers(), labels.data(), nullptr, rows.n_rows)(0, rows.n_rows);
    }

    [[nodiscard]] Centers centers() const { return {numbers.data(), 40, 128}; }
    [[nodiscard]] bool found(const char* what) const {
        return bound_violation(state, centers()).find(what) != std::string::npos;
    }

    Random random{23};
    Values<float> values;
    Rows rows;
    QuantizedRows codes;
    PcaCodes pca_codes;
    BoundState state;
    std::vector<double> numbers;
};

TEST(false_bounds_are_found) {
    CHECK(bound_violation(Stepped().state, Stepped().centers()).empty());
    Stepped low;
    for (float& upper : low.state.upper) upper *= 0.5F;
    CHECK(low.found("upper bound of centroid"));
    Stepped high;
    std::fill(high.state.lower.begin(), high.state.lower.end(), kMaxUnits);
    CHECK(high.found("lower bound of group"));
    Stepped near;
    for (Neighbour& neighbour : near.state.neighbours) neighbour.bound *= 2;
    CHECK(near.found("lower bound of neighbour"));
}

TEST(false_margins_are_found) {
    const Values<float> values(std::vector<double>{0.25, 0.5, 4.0});
    const Rows rows = rows_of(values, 1);
    const std::vector<double> numbers{0.0, 1.0};
    const Centers centers{numbers.data(), 2, 1};
    std::vector<std::int32_t> labels{0, 0, 1};
    LaneBounds bounds(3);
    bounds.follow(centers);
    bounds.set(0, 0, 0.499F);
    bounds.set(2, 1, 0.999F);
    CHECK(bounds.margin_left(0, 0) > 0.49);
    CHECK(margin_violation(bounds, rows, centers, labels.data()).empty());
    bounds.set(2, 1, 1.01F);
    CHECK(!margin_violation(bounds, rows, centers, labels.data()).empty());
    bounds.set(2, 1, 0.999F);
    bounds.set(0, 0, 0.51F);
    CHECK(!margin_violation(bounds, rows, centers, labels.data()).empty());
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
