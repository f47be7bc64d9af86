// Incrementally updated sums equal sums from scratch, to the bit.
#include "update/label_changes.hpp"

#include <algorithm>
#include <thread>

#include "assign/assign.hpp"
#include "check.hpp"
#include "samples.hpp"
#include "sums.hpp"

namespace kmosaic::testing {
namespace {

// Moves some of the rows to other clusters; several threads record the changes in logs of their own.
void relabel(std::vector<std::int32_t>& labels, std::size_t k, std::size_t one_in, LabelChanges& changes,
             Random& random) {
    std::vector<std::int32_t> after = labels;
    for (std::int32_t& label : after)
        if (below(random, one_in) == 0) label = static_cast<std::int32_t>(below(random, k));
    std::vector<std::thread> recorders;
    for (std::size_t t = 0; t < 3; ++t) {
        recorders.emplace_back([&, t] {
            LabelChanges::ThreadLog& log = changes.open_log();
            for (std::size_t i = t; i < labels.size(); i += 3)
                if (after[i] != labels[i]) log.add(i, labels[i], after[i]);
        });
    }
    for (std::thread& recorder : recorders) recorder.join();
    labels = after;
}

void check_relabelings(const Rows& rows, std::size_t k, Random& random) {
    ClusterSums sums = empty_sums(rows, k);
    sums.add_squares(rows, threads(1));
    std::vector<std::int32_t> labels(rows.n_rows, -1);
    for (const std::size_t one_in :
         {1U, 2U, 9U, 60U, 1U, 1000000U, 30U}) {  // the first gives every row a label
        LabelChanges changes(rows, sums.sums());
        relabel(labels, k, one_in, changes, random);
        const std::size_t n_threads = 1 + below(random, 4);
        sums.apply(changes, labels.data(), threads(n_threads));
        CHECK(same_bits(facts(sums, n_threads), facts(sums_of(rows, k, labels, 1))));
    }
}

// Few sums (tables) and many (lists).
template <class T>
void check_shapes(const std::string& variant, Random& random) {
    struct Shape {
        std::size_t n, d, k;
    };
    for (const auto& [n, d, k] : {Shape{5000, 1, 2},
                                  {3000, 3, 16},
                                  {2000, 13, 9},
                                  {1500, 17, 33},
                                  {700, 300, 40},
                                  {4000, 90, 100},
                                  {90, 5000, 7}}) {
        Values<T> values(n * d);
        fill_any(values, random);
        Rows rows = rows_of(values, d);
        context() = variant + " " + name_of(rows.dtype) + " n_features=" + std::to_string(d);
        check_relabelings(rows, k, random);
        if constexpr (kIsInteger<T>) {
            std::vector<std::uint32_t> counts(n);
            for (std::uint32_t& count : counts) count = static_cast<std::uint32_t>(random());
            rows.counts = counts.data();
            context() += " counted";
            check_relabelings(rows, k, random);
        }
    }
}

TEST(sums_that_follow_equal_sums_from_scratch) {
    Random random(1);
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for_each_dtype([&](auto zero) { check_shapes<decltype(zero)>(name, random); });
    }
}

// More of the largest values than 32 bits hold the sum of.
TEST(many_rows_move_at_once) {
    const std::size_t n = 70000, d = 2, k = 3;
    Values<std::uint16_t> values(n * d);
    std::fill_n(values.data(), n * d, std::uint16_t{UINT16_MAX});
    const Rows rows = rows_of(values, d);
    std::vector<MovedRow> moved(n);
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        context() = name;
        for (std::size_t i = 0; i < n; ++i) moved[i] = {i, static_cast<std::uint32_t>(k), 1};
        ClusterSums sums = empty_sums(rows, k);
        std::vector<std::int32_t> labels(n, 1);
        LabelChanges changes(rows, sums.sums());
        changes.open_log().add(moved);
        sums.apply(changes, labels.data(), threads(1));
        sums.add_squares(rows, threads(1));
        CHECK(same_bits(facts(sums), facts(sums_of(rows, k, labels, 1))));
        CHECK(sums.state().sums[d] == static_cast<std::int64_t>(n) * UINT16_MAX);
        for (MovedRow& row : moved) {
            row.from = 1;
            row.to = 2;
        }
        std::fill(labels.begin(), labels.end(), 2);
        LabelChanges away(rows, sums.sums());
        away.open_log().add(moved);
        sums.apply(away, labels.data(), threads(1));
        CHECK(same_bits(facts(sums), facts(sums_of(rows, k, labels, 1))));
    }
}

TEST(sums_of_weighted_rows_and_of_many_slices_follow_too) {
    Random random(2);
    Values<double> values(400 * 5);
    fill_any(values, random);
    std::vector<double> weights(1000);
    for (double& weight : weights) weight = uniform(random);
    check_relabelings(rows_of(values, 5, weights.data()), 6, random);
    check_relabelings(rows_of(values, 2, weights.data()), 900, random);  // more than a small table
    for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = std::ldexp(values[i], static_cast<int>(i % 600));
    CHECK(empty_sums(rows_of(values, 5), 6).sums().spacings().size() > 10);
    check_relabelings(rows_of(values, 5), 6, random);
}

TEST(labels_that_are_no_clusters_are_taken_for_none) {
    const Values<std::uint8_t> values({1, 2, 3});
    const Rows rows = rows_of(values, 1);
    ClusterSums sums = empty_sums(rows, 2);
    LabelChanges changes(rows, sums.sums());
    LabelChanges::ThreadLog& log = changes.open_log();
    log.add(0, INT32_MIN, 1);
    log.add(1, 2, 0);
    log.add(2, INT32_MAX, 1);
    const std::vector<std::int32_t> labels = {1, 0, 1};
    sums.apply(changes, labels.data(), threads(1));
    sums.add_squares(rows, threads(1));
    CHECK(same_bits(facts(sums), facts(sums_of(rows, 2, labels, 1))));
}

TEST(an_assignment_step_records_what_changed) {
    Random random(3);
    for_each_dtype([&](auto zero) {
        using T = decltype(zero);
        const std::size_t n = 3000, d = 24, k = 12;
        Values<T> values(n * d);
        fill_any(values, random);
        const Rows rows = rows_of(values, d);
        std::vector<double> centers(k * d);
        for (std::size_t i = 0; i < k * d; ++i) centers[i] = static_cast<double>(values[i]);
        std::vector<std::int32_t> labels(n, -1);
        ClusterSums sums = empty_sums(rows, k);
        sums.add_squares(rows, threads(1));
        for (int iteration = 0; iteration < 8; ++iteration) {
            context() = name_of(rows.dtype) + " iteration " + std::to_string(iteration);
            LabelChanges changes(rows, sums.sums());
            assign(rows, {centers.data(), k, d}, labels.data(), threads(3), &changes);
            sums.apply(changes, labels.data(), threads(2));
            CHECK(same_bits(facts(sums), facts(sums_of(rows, k, labels, 1))));
            sums.means(centers.data());
        }
    });
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
