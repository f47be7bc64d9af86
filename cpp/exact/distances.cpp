#include "exact/distances.hpp"

#include <algorithm>
#include <vector>

#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 512;

// Centres eight at a time, [panel][feature][lane]; the last panel's spare lanes repeat its last centre.
std::vector<double> exact_panels(const Centers& centers) {
    const std::size_t n_panels = (centers.n_clusters + kExactPanelWidth - 1) / kExactPanelWidth;
    std::vector<double> panels(n_panels * kExactPanelWidth * centers.n_features);
    for (std::size_t j = 0; j < n_panels * kExactPanelWidth; ++j) {
        const double* centre = centers.row(std::min(j, centers.n_clusters - 1));
        double* lane = panels.data() + (j / kExactPanelWidth) * kExactPanelWidth * centers.n_features +
                       j % kExactPanelWidth;
        for (std::size_t f = 0; f < centers.n_features; ++f) lane[f * kExactPanelWidth] = centre[f];
    }
    return panels;
}

// One thread's squared distances of a few rows at a time to eight centres at a time.
class FloatTiles {
  public:
    FloatTiles(const Rows& rows, const std::vector<double>& panels, std::size_t n_step)
        : rows_(rows), panels_(panels), n_rows_(0), wide_(n_step * rows.n_features) {}

    void load(std::size_t first, std::size_t n) {
        n_rows_ = n;
        for (std::size_t i = 0; i < n; ++i)
            kernels().exact->widen[rows_.dtype](rows_.row(first + i), rows_.n_features,
                                                wide_.data() + i * rows_.n_features);
    }

    void fill(std::size_t panel, double* tile) const {
        kernels().exact->squared_distances(wide_.data(), n_rows_, rows_.n_features,
                                           panels_.data() + panel * kExactPanelWidth * rows_.n_features,
                                           tile);
    }

  private:
    const Rows& rows_;
    const std::vector<double>& panels_;
    std::size_t n_rows_;
    std::vector<double> wide_;
};

// Calls visit(first_row, n_rows, panel, distances) for every block of rows and panel of centres.
template <class MakeTiles, class Visit>
void visit_tiles(const Rows& rows, std::size_t n_panels, const Parallel& parallel, MakeTiles make_tiles,
                 Visit visit) {
    // Few rows at a time where they are long, so that they stay in cache while the panels pass.
    const std::size_t n_step = std::clamp<std::size_t>(16384 / rows.n_features / 8 * 8, 8, kBlock);
    parallel_for((rows.n_rows + kBlock - 1) / kBlock, parallel, [&] {
        return [&, tiles = make_tiles(n_step), tile = std::vector<double>(n_step * kExactPanelWidth)](
                   std::size_t block, const Checkpoint& checkpoint) mutable {
            const std::size_t end = std::min((block + 1) * kBlock, rows.n_rows);
            for (std::size_t first = block * kBlock; first < end; first += n_step) {
                const std::size_t n = std::min(n_step, end - first);
                checkpoint();  // a block of long rows and thousands of centres takes seconds
                tiles.load(first, n);
                for (std::size_t panel = 0; panel < n_panels; ++panel) {
                    tiles.fill(panel, tile.data());
                    visit(first, n, panel, tile.data());
                }
            }
        };
    });
}

template <class Visit>
void for_each_tile(const Rows& rows, const Centers& centers, const Parallel& parallel, Visit visit) {
    const std::size_t n_panels = (centers.n_clusters + kExactPanelWidth - 1) / kExactPanelWidth;
    const std::vector<double> panels = exact_panels(centers);
    const auto make_tiles = [&](std::size_t n_step) { return FloatTiles(rows, panels, n_step); };
    visit_tiles(rows, n_panels, parallel, make_tiles, visit);
}

// Calls visit(i, row i in float64) for every row.
template <class Visit>
void for_each_row(const Rows& rows, const Parallel& parallel, Visit visit) {
    parallel_for((rows.n_rows + kBlock - 1) / kBlock, parallel, [&] {
        return [&, wide = std::vector<double>(rows.n_features)](std::size_t block) mutable {
            const std::size_t end = std::min((block + 1) * kBlock, rows.n_rows);
            for (std::size_t i = block * kBlock; i < end; ++i) {
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
