#include "exact/distances.hpp"

#include <algorithm>
#include <vector>

#include "core/panels.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 512;

// Calls visit(first_row, n_rows, panel, distances) for every block of rows and panel of centres.
template <class Visit>
void for_each_tile(const Rows& rows, const Centers& centers, const Parallel& parallel, Visit visit) {
    const std::size_t d = rows.n_features;
    const std::vector<double> panels = exact_panels(centers);
    // Long rows are taken few at a time, so that they stay in cache while the panels pass.
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
                for (std::size_t p = 0; p * kExactPanelWidth < centers.n_clusters; ++p) {
                    kernels().exact->squared_distances(wide.data(), n, d,
                                                       panels.data() + p * kExactPanelWidth * d, tile.data());
                    visit(first, n, p, tile.data());
                }
            }
        };
    });
}

// Calls visit(i, row i in float64) for every row.
template <class Visit>
void for_each_row(const Rows& rows, const Parallel& parallel, Visit visit) {
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return
            [&, wide = std::vector<double>(rows.n_features)](std::size_t first, std::size_t count) mutable {
                for (std::size_t i = first; i < first + count; ++i) {
                    kernels().exact->widen[rows.dtype](rows.row(i), rows.n_features, wide.data());
                    visit(i, wide.data());
                }
            };
    });
}

}  // namespace

void squared_distances(const Rows& rows, const Centers& centers, double* out, const Parallel& parallel) {
    for_each_tile(rows, centers, parallel,
                  [&](std::size_t first, std::size_t n, std::size_t panel, const double* tile) {
                      const std::size_t j = panel * kExactPanelWidth;
                      const std::size_t width = std::min(kExactPanelWidth, centers.n_clusters - j);
                      for (std::size_t i = 0; i < n; ++i)
                          std::copy_n(tile + i * kExactPanelWidth, width,
                                      out + (first + i) * centers.n_clusters + j);
                  });
}

void own_squared_distances(const Rows& rows, const Centers& centers, const std::int32_t* labels, double* out,
                           const Parallel& parallel) {
    for_each_row(rows, parallel, [&](std::size_t i, const double* row) {
        const double* centre = centers.row(static_cast<std::size_t>(labels[i]));
        out[i] = kernels().exact->squared_distance(row, centre, rows.n_features);
    });
}

}  // namespace kmosaic
