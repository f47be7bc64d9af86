// Nearest rows: those of brute force, ties the lowest first.
#include <algorithm>
#include <stdexcept>
#include <utility>

#include "extras/nearest_rows.hpp"
#include "input.hpp"
#include "reference.hpp"

using namespace kmosaic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzzing::Input in(data, size);
    const fuzzing::Case c(in);
    const Parallel parallel = fuzzing::threads(in);
    const std::size_t n = c.shape.n_rows, k = 1 + in.below(c.shape.n_clusters);
    std::vector<std::int32_t> indices(n * k, -1);
    std::vector<double> squares(n * k);
    try {
        nearest_rows(c.rows(), c.centers(), {k, kNotOwn}, {indices.data(), squares.data()}, parallel);
    } catch (const std::invalid_argument&) {
        REQUIRE(!fuzzing::finite(c.places));
        return 0;
    }
    for (const std::int32_t index : indices)
        REQUIRE(index >= 0 && static_cast<std::size_t>(index) < c.shape.n_clusters);
    for (std::size_t i = 0; c.exact() && i < n; ++i) {
        std::vector<std::pair<double, std::int32_t>> all;
        for (std::size_t j = 0; j < c.shape.n_clusters; ++j)
            all.emplace_back(testing::squared_distance<double>(c.rows(), i, c.centers().row(j)), j);
        std::sort(all.begin(), all.end());
        for (std::size_t m = 0; m < k; ++m) {
            REQUIRE(indices[i * k + m] == all[m].second);
            REQUIRE(squares[i * k + m] == all[m].first);
        }
    }
    return 0;
}
