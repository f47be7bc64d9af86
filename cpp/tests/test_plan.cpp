// The planner's table, and that what it plans is what runs.
#include "assign/plan.hpp"

#include <cmath>

#include "assign/assigner.hpp"
#include "check.hpp"
#include "kernels/dispatch.hpp"
#include "reference.hpp"
#include "samples.hpp"
#include "sequences.hpp"

namespace kmosaic::testing {
namespace {

Rows shape(Dtype dtype, std::size_t n_rows, std::size_t n_features) {
    return {nullptr, dtype, n_rows, n_features, nullptr};
}

bool says(const std::string& reason, const char* words) {
    return reason.find(words) != std::string::npos;
}

struct Choice {
    Rows rows;
    std::size_t n_clusters;
    std::size_t steps;
    Path path;
    bool bounds, pca_codes, small_labels;
};

TEST(choices_by_shape) {
    const Choice choices[] = {
        {shape(kUint8, 60000, 784), 256, kManySteps, Path::kBoundedInt8, true, true, false},
        {shape(kUint8, 60000, 784), 17, kManySteps, Path::kBoundedInt8, true, true, false},
        {shape(kUint8, 60000, 784), 16, kManySteps, Path::kBoundedInt8, true, false, false},
        {shape(kUint8, 4095, 784), 256, kManySteps, Path::kBoundedInt8, true, false, false},
        {shape(kUint8, 60000, 191), 256, kManySteps, Path::kBoundedInt8, true, false, false},
        {shape(kUint8, 60000, 784), 10, 1, Path::kOnePassInt8, false, false, false},
        {shape(kFloat32, 8192, 128), 512, 1, Path::kOnePassInt8, false, false, false},
        {shape(kUint8, 500, 64), 128, kManySteps, Path::kFloat32, true, false, false},
        {shape(kUint8, 500, 64), 129, kManySteps, Path::kBoundedInt8, true, false, false},
        {shape(kUint8, 500, 128), 5, 1, Path::kFloat32, false, false, false},
        {shape(kUint8, 500, 129), 5, 1, Path::kOnePassInt8, false, false, false},
        {shape(kFloat32, 100000, 128), 96, kManySteps, Path::kFloat32, true, false, false},
        {shape(kFloat32, 100000, 128), 97, kManySteps, Path::kBoundedInt8, true, false, false},
        {shape(kFloat64, 100000, 1280), 9, 1, Path::kFloat32, false, false, false},
        {shape(kFloat32, 8191, 128), 512, 1, Path::kFloat32, false, false, false},
        {shape(kFloat32, 8192, 128), 511, 1, Path::kFloat32, false, false, false},
        {shape(kFloat64, 500, 33), 9, kManySteps, Path::kFloat32, true, false, false},
        {shape(kUint8, 500, 65537), 9, kManySteps, Path::kFloat32, false, false, false},
        {shape(kUint8, 2, 65537), 2, kManySteps, Path::kExact, false, false, false},
        {shape(kFloat32, 200000, 16), 255, kManySteps, Path::kFloat32, true, false, true},
        {shape(kFloat32, 200000, 32), 256, 1, Path::kFloat32, false, false, false},
        {shape(kFloat64, 200000, 1), 65535, kManySteps, Path::kFloat32, false, false, false},
    };
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        for (const Choice& c : choices) {
            const Plan plan = choose_plan(c.rows, c.n_clusters, c.steps);
            context() = cpu + " " + plan.reason;
            CHECK(plan.path == c.path);
            CHECK(plan.bounds == c.bounds);
            CHECK(plan.pca_codes == c.pca_codes);
            CHECK(plan.small_labels == c.small_labels);
        }
    }
    select_kernels("");
}

TEST(integers_of_few_features_by_instruction_set) {
    for (const std::string& cpu : supported_variants()) {
        select_kernels(cpu);
        context() = cpu;
        const bool int16 = kernels().int16 != nullptr;
        for (const Rows& rows : {shape(kUint8, 1000000, 3), shape(kUint16, 5000, 13)}) {
            const Plan plan = choose_plan(rows, 256, kManySteps);
            CHECK(plan.path == (int16 ? Path::kInt16 : Path::kFloat32));
            CHECK(plan.bounds == !int16);
            CHECK(says(plan.reason, cpu.c_str()));
            const Plan many = choose_plan(rows, 257, kManySteps);
            CHECK(many.path == Path::kFloat32 && many.bounds);
        }
    }
    select_kernels("");
}

TEST(seeds_and_merging) {
    const SeedingPlan many = choose_seeding_plan(shape(kUint8, 60000, 784), 10);
    CHECK(many.quantized && many.pca_codes);
    const SeedingPlan few = choose_seeding_plan(shape(kUint8, 60000, 784), 6);
    CHECK(few.quantized && !few.pca_codes);
    const SeedingPlan low_dim = choose_seeding_plan(shape(kUint8, 60000, 32), 100);
    CHECK(!low_dim.quantized && !low_dim.pca_codes);
    CHECK(!choose_seeding_plan(shape(kUint8, 100, 65537), 100).quantized);

    CHECK(choose_merge_plan(shape(kUint8, 32768, 3)).merge);
    CHECK(!choose_merge_plan(shape(kUint8, 32767, 3)).merge);
    CHECK(!choose_merge_plan(shape(kUint8, 32768, 4)).merge);
    MergePlan merging = choose_merge_plan(shape(kUint8, 60000, 3));
    record_distinct(merging, 20000);
    CHECK(merging.merge && says(merging.reason, "20,000"));
    record_distinct(merging, 20001);
    CHECK(!merging.merge);
}

TEST(probes_decide_and_are_recorded) {
    Plan plan = choose_plan(shape(kUint8, 60000, 784), 256, kManySteps);
    record_outside_share(plan, 0.31);
    CHECK(!plan.pca_codes && plan.path == Path::kBoundedInt8);
    CHECK(says(plan.reason, "31%") && says(plan.reason, "64 directions") && says(plan.reason, "dropped"));
    plan = choose_plan(shape(kFloat32, 60000, 784), 256, kManySteps);
    record_error_share(plan, 0.124);
    CHECK(plan.path == Path::kBoundedInt8 && says(plan.reason, "12.4%"));
    record_outside_share(plan, kMaxOutsideShare);
    CHECK(plan.pca_codes);
    record_error_share(plan, 0.125);
    CHECK(plan.path == Path::kFloat32 && !plan.bounds && !plan.pca_codes);
    SeedingPlan seeding = choose_seeding_plan(shape(kFloat64, 60000, 784), 256);
    record_error_share(seeding, 0.01, 1e-121);
    CHECK(!seeding.quantized && !seeding.pca_codes);
}

// Rows close to a few middles: a few directions hold nearly all of what they differ by.
std::vector<double> close_to_middles(std::size_t n, std::size_t d, Random& random) {
    constexpr std::size_t kMiddles = 40;
    std::vector<double> middles(kMiddles * d);
    for (double& value : middles) value = static_cast<double>(20 + below(random, 200));
    std::vector<double> rows(n * d);
    for (std::size_t i = 0; i < n; ++i) {
        const double* middle = middles.data() + below(random, kMiddles) * d;
        for (std::size_t f = 0; f < d; ++f)
            rows[i * d + f] = middle[f] + static_cast<double>(below(random, 9));
    }
    return rows;
}

std::size_t steps(const Assigner& assigner, Path path) {
    return assigner.n_steps()[static_cast<std::size_t>(path)];
}

// Steps of few clusters make no PCA codes, and use those that there are.
TEST(each_call_gets_what_pays_for_it) {
    Random random(2);
    constexpr std::size_t d = 200, n = 4200;
    const Values<std::uint8_t> values(close_to_middles(n, d, random));
    const Rows rows = rows_of(values, d);
    const auto step = [&](Assigner& assigner, std::size_t k) {
        std::vector<double> centers(values.data(), values.data() + k * d);
        std::vector<std::int32_t> labels(n, -1);
        assigner.assign({centers.data(), k, d}, labels.data(), threads(2));
        CHECK(labels == nearest_of_all(rows, {centers.data(), k, d}));
    };
    Assigner seeded(rows);
    const auto coded = seeded.code_for_seeds(10, threads(2));
    CHECK(coded && coded->pca_codes.projected() && seeded.seeding_plan().pca_codes);
    step(seeded, 10);
    CHECK(seeded.plan().pca_codes && says(seeded.plan().reason, "made before"));

    Assigner assigner(rows);
    const auto few = assigner.code_for_seeds(5, threads(2));
    CHECK(few && !few->pca_codes.projected() && !assigner.seeding_plan().pca_codes);
    step(assigner, 16);
    CHECK(!assigner.plan().pca_codes && says(assigner.plan().reason, "no PCA codes"));
    for (const std::size_t k : {17U, 16U}) {
        step(assigner, k);
        CHECK(assigner.plan().pca_codes);
    }
    CHECK(steps(assigner, Path::kBoundedInt8) == 3);

    Assigner once(rows, 1);
    step(once, 5);
    step(once, 5);
    CHECK(steps(once, Path::kOnePassInt8) == 2 && steps(once, Path::kBoundedInt8) == 0);
}

// Values of many magnitudes: bytes tell no rows apart.
TEST(codes_that_tell_no_rows_apart_are_dropped) {
    Random random(3);
    constexpr std::size_t d = 140, n = 600, k = 100;
    std::vector<double> numbers(n * d);
    for (double& value : numbers) value = std::pow(1 - uniform(random), -4);
    const Values<double> values(numbers);
    const Rows rows = rows_of(values, d);
    Assigner assigner(rows);
    CHECK(!assigner.code_for_seeds(9, threads(2)));
    std::vector<std::int32_t> labels(n, -1);
    const Centers centers{values.data(), k, d};
    assigner.assign(centers, labels.data(), threads(2));
    CHECK(labels == nearest_of_all(rows, centers));
    CHECK(assigner.plan().path == Path::kFloat32 && says(assigner.plan().reason, "dropped"));
    CHECK(steps(assigner, Path::kFloat32) == 1);
}

// Rows of no structure, whose bounds fail: steps without bounds, then some with, which rule little out.
TEST(bounds_that_rule_nothing_out_are_given_up_for_a_while) {
    Random random(4);
    constexpr std::size_t d = 150, n = 2000, k = 90;
    std::vector<double> numbers(n * d);
    for (double& value : numbers) value = normal(random);
    const Values<float> values(numbers);
    const Rows rows = rows_of(values, d);
    Assigner assigner(rows);
    std::vector<std::int32_t> labels(n, -1);
    std::vector<double> centers;
    for (std::size_t i = 0; i < k * d; ++i) centers.push_back(static_cast<double>(values[i]));
    for (int step = 0; step < 40; ++step) {
        assigner.assign({centers.data(), k, d}, labels.data(), threads(2));
        CHECK(labels == nearest_of_all(rows, {centers.data(), k, d}));
        for (double& value : centers) value += 0.008 * normal(random);
    }
    CHECK(assigner.plan().path == Path::kBoundedInt8);
    CHECK(steps(assigner, Path::kOnePassInt8) > 20 && steps(assigner, Path::kBoundedInt8) >= 2);
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
