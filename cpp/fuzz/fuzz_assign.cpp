// Assignment steps, single and repeated ones: labels are cluster numbers, and those of brute force.
#include <stdexcept>

#include "assign/assign.hpp"
#include "assign/assigner.hpp"
#include "input.hpp"
#include "reference.hpp"

using namespace kmosaic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzzing::Input in(data, size);
    fuzzing::Case c(in);
    const Parallel parallel = fuzzing::threads(in);
    Assigner assigner(c.rows());
    if (in.below(2)) assigner.code_for_seeds(c.shape.n_clusters, parallel);
    std::vector<std::int32_t> labels(c.shape.n_rows, -1);
    for (int step = 0; step < 4; ++step) {
        std::vector<std::int32_t> once(c.shape.n_rows, -1);
        try {
            assigner.assign(c.centers(), labels.data(), parallel);
            assign(c.rows(), c.centers(), once.data(), parallel);
        } catch (const std::invalid_argument&) {
            REQUIRE(!fuzzing::finite(c.places));
            return 0;
        }
        for (std::size_t i = 0; i < c.shape.n_rows; ++i) {
            REQUIRE(labels[i] >= 0 && static_cast<std::size_t>(labels[i]) < c.shape.n_clusters);
            REQUIRE(labels[i] == once[i]);
            REQUIRE(!c.exact() || labels[i] == testing::nearest(c.rows(), i, c.centers()));
        }
        c.move_centers(in);
    }
    return 0;
}
