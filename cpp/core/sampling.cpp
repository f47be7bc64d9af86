#include "core/sampling.hpp"

#include "kernels/split_mix.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = std::size_t{1} << 16;

}  // namespace

std::vector<DrawnRow> draw_rows(std::int64_t first, std::size_t n, const std::uint8_t* present,
                                std::uint64_t seed, std::uint64_t limit, const Parallel& parallel) {
    const std::uint64_t start = split_mix(seed + kSplitMixStep);
    std::vector<std::vector<DrawnRow>> blocks(ceil_div(n, kBlock));
    parallel_blocks(n, kBlock, parallel, [&] {
        return [&](std::size_t begin, std::size_t count) {
            for (std::size_t i = begin; i < begin + count; ++i) {
                if (present && !present[i]) continue;
                const std::int64_t position = first + static_cast<std::int64_t>(i);
                const std::uint64_t key =
                    split_mix(start + kSplitMixStep * (static_cast<std::uint64_t>(position) + 1));
                if (key < limit) blocks[begin / kBlock].push_back({key, position});
            }
        };
    });
    std::vector<DrawnRow> drawn;
    for (const auto& block : blocks) drawn.insert(drawn.end(), block.begin(), block.end());
    return drawn;
}

}  // namespace kmosaic
