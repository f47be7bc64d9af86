// Squared distances: those of brute force.
#include "exact/distances.hpp"
#include "input.hpp"
#include "reference.hpp"

using namespace kmosaic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzzing::Input in(data, size);
    const fuzzing::Case c(in);
    const Parallel parallel = fuzzing::threads(in);
    const std::size_t k = c.shape.n_clusters;
    std::vector<double> all(c.shape.n_rows * k), own(c.shape.n_rows);
    squared_distances(c.rows(), c.centers(), all.data(), parallel);
    std::vector<std::int32_t> labels(c.shape.n_rows);
    for (std::int32_t& label : labels) label = static_cast<std::int32_t>(in.below(k));
    own_squared_distances(c.rows(), c.centers(), labels.data(), own.data(), parallel);
    for (std::size_t i = 0; c.exact() && i < c.shape.n_rows; ++i) {
        for (std::size_t j = 0; j < k; ++j)
            REQUIRE(all[i * k + j] == testing::squared_distance<double>(c.rows(), i, c.centers().row(j)));
        REQUIRE(own[i] == all[i * k + static_cast<std::size_t>(labels[i])]);
    }
    return 0;
}
