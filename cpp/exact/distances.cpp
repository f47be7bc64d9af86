#include "exact/distances.hpp"

#include <algorithm>
#include <vector>

#include "core/panels.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 512;

}  // namespace

void squared_distances(const Rows& rows, const Centers& centers, double* out, const Parallel& parallel) {
    const std::size_t d = rows.n_features, k = centers.n_clusters;
    const std::vector<double> panels = exact_panels(centers);
    // Long rows are taken few at a time, so that they stay in cache for all panels.
    const std::size_t n_step = std::clamp<std::size_t>(16384 / d / 8 * 8, 8, kBlock);
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&, wide = std::vector<double>(n_step * d),
                tile = std::vector<double>(n_step * kExactPanelWidth)](std::size_t begin, std::size_t count,
                                                                       const Checkpoint& checkpoint) mutable {
            for (std::size_t first = begin; first < begin + count; first += n_step) {
                const std::size_t n = std::min(n_step, begin + count - first);
                checkpoint();  // a block of long rows and thousands of centres takes seconds
                for (std::size_t i = 0; i < n; ++i)
                    kernels().exact->widen[rows.dtype](rows.row(first + i), d, wide.data() + i * d);
                for (std::size_t j = 0; j < k; j += kExactPanelWidth) {
                    kernels().exact->squared_distances(wide.data(), n, d, panels.data() + j * d, tile.data());
                    for (std::size_t i = 0; i < n; ++i)
                        std::copy_n(tile.data() + i * kExactPanelWidth, std::min(kExactPanelWidth, k - j),
                                    out + (first + i) * k + j);
                }
            }
        };
    });
}

void own_squared_distances(const Rows& rows, const Centers& centers, const std::int32_t* labels, double* out,
                           const Parallel& parallel) {
    const ExactKernels& kernel = *kernels().exact;
    const std::size_t d = rows.n_features;
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&, wide = std::vector<double>(d)](std::size_t first, std::size_t count) mutable {
            for (std::size_t i = first; i < first + count; ++i) {
                kernel.widen[rows.dtype](rows.row(i), d, wide.data());
                const double* center = centers.row(static_cast<std::size_t>(labels[i]));
                out[i] = kernel.squared_distance(wide.data(), center, d);
            }
        };
    });
}

}  // namespace kmosaic
