// Nearest rows: those of brute force, ties the lowest first.
#include <algorithm>
#include <cmath>
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
    if (!c.exact()) return 0;
    // Each row's limit is one of its own distances.
    std::vector<double> limits(n), within(n * k);
    for (std::size_t i = 0; i < n; ++i) limits[i] = squares[i * k + in.below(k)];
    nearest_rows(c.rows(), c.centers(), {k, kNotOwn, limits.data()}, {indices.data(), within.data()},
                 parallel);
    for (std::size_t i = 0; i < n * k; ++i)
        REQUIRE(squares[i] <= limits[i / k] ? within[i] == squares[i] : std::isinf(within[i]));
    return 0;
}
