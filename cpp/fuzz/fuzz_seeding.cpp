// Draws and adds seeds: each row's distance to its nearest seed is that of brute force.
#include "assign/assigner.hpp"
#include "core/hash_order.hpp"
#include "input.hpp"
#include "reference.hpp"
#include "seeding/kmeans_plus_plus.hpp"

using namespace kmosaic;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzzing::Input in(data, size);
    const fuzzing::Case c(in);
    const Parallel parallel = fuzzing::threads(in);
    const Rows rows = c.rows();
    Assigner assigner(rows);
    const std::optional<CodedRows> coded = in.below(2) ? assigner.code_for_seeds(8, parallel) : std::nullopt;
    const HashOrder order = hash_order(rows, parallel);
    Seeder seeder(rows, order.rows.data(), coded ? &*coded : nullptr);
    std::vector<std::size_t> seeds;
    for (std::size_t s = 0; s < 1 + in.below(6); ++s) {
        std::vector<double> numbers(1 + in.below(4));
        for (double& number : numbers) number = static_cast<double>(in.below(1 << 16)) * 0x1p-16;
        std::vector<std::size_t> drawn = seeder.draw(numbers);
        if (drawn.empty()) drawn = {in.below(rows.n_rows)};
        seeds.push_back(seeder.add_best(drawn, parallel));
        REQUIRE(seeds.back() < rows.n_rows);
    }
    for (std::size_t i = 0; c.exact() && i < rows.n_rows; ++i) {
        double least = std::numeric_limits<double>::infinity();
        for (const std::size_t seed : seeds) {
            std::vector<double> place;
            for (std::size_t f = 0; f < rows.n_features; ++f) place.push_back(c.value(seed, f));
            least = std::fmin(least, testing::squared_distance<double>(rows, i, place.data()));
        }
        REQUIRE(seeder.nearest().squares[i] == least);
    }
    return 0;
}
