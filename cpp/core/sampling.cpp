#include "core/sampling.hpp"

#include <algorithm>

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = std::size_t{1} << 16;

// The finaliser of SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

}  // namespace

std::vector<DrawnRow> draw_rows(std::int64_t first, std::size_t n, const std::uint8_t* present,
                                std::uint64_t seed, std::uint64_t limit, const Parallel& parallel) {
    const std::size_t n_blocks = (n + kBlock - 1) / kBlock;
    const std::uint64_t start = mixed(seed + 0x9E3779B97F4A7C15u);
    std::vector<std::vector<DrawnRow>> blocks(n_blocks);
    parallel_for(n_blocks, parallel, [&] {
        return [&](std::size_t block) {
            for (std::size_t i = block * kBlock; i < std::min((block + 1) * kBlock, n); ++i) {
                if (present && !present[i]) continue;
                const std::int64_t position = first + static_cast<std::int64_t>(i);
                const std::uint64_t step = 0x9E3779B97F4A7C15u * (static_cast<std::uint64_t>(position) + 1);
                const std::uint64_t key = mixed(start + step);
                if (key < limit) blocks[block].push_back({key, position});
            }
        };
    });
    std::vector<DrawnRow> drawn;
    for (const auto& block : blocks) drawn.insert(drawn.end(), block.begin(), block.end());
    return drawn;
}

}  // namespace kmosaic
