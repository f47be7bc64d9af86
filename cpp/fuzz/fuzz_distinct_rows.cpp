// Merges equal rows and expands them again.
#include <map>

#include "core/distinct_rows.hpp"
#include "input.hpp"

using namespace kmosaic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzzing::Input in(data, size);
    const fuzzing::Case c(in);
    const Parallel parallel = fuzzing::threads(in);
    const Rows rows = c.rows();
    if (!DistinctRows::mergeable(rows)) return 0;
    std::map<std::vector<double>, std::uint32_t> expected;
    const auto row = [&](std::size_t i) {
        std::vector<double> values;
        for (std::size_t f = 0; f < rows.n_features; ++f) values.push_back(c.value(i, f));
        return values;
    };
    for (std::size_t i = 0; i < rows.n_rows; ++i) ++expected[row(i)];
    const DistinctRows distinct_rows(rows, rows.n_rows, parallel);
    REQUIRE(distinct_rows.size() == expected.size());
    std::vector<std::uint32_t> wanted;
    std::map<std::vector<double>, std::int32_t> number;
    for (const auto& [values, count] : expected) {
        number[values] = static_cast<std::int32_t>(wanted.size());
        wanted.push_back(count);
    }
    REQUIRE(distinct_rows.counts(rows, parallel) == wanted);
    std::vector<std::int32_t> numbers(wanted.size()), labels(rows.n_rows, -1);
    for (std::size_t j = 0; j < numbers.size(); ++j) numbers[j] = static_cast<std::int32_t>(j);
    distinct_rows.expand(rows, numbers.data(), labels.data(), parallel);
    for (std::size_t i = 0; i < rows.n_rows; ++i) REQUIRE(labels[i] == number[row(i)]);
    std::unique_ptr<char[]> distinct(new char[wanted.size() * rows.row_bytes()]);
    distinct_rows.write_rows(distinct.get(), parallel);
    return 0;
}
