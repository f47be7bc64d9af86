#include "extras/superpixels.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "extras/superpixel_assign.hpp"

namespace kmosaic {

using namespace superpixel;

namespace {

// Places within a step of the seeds are told apart by at least so many coordinates where distances are narrow.
constexpr double kNarrowResolution = 64;
constexpr int kMaxShift = 24;
// How far a tile goes beyond a window that touches it, at most.
constexpr std::int64_t kTileReach = 17;

// numerator / denominator rounded, for numerators of at least 0.
std::int64_t rounded_ratio(std::int64_t numerator, std::int64_t denominator) {
    return (2 * numerator + denominator) / (2 * denominator);
}

// A centre without pixels stays where it is.
void update(Fit& fit, const Sums& sums) {
    for (std::size_t k = 0; k < fit.centers.size(); ++k) {
        const std::int64_t* sum = sums.of(k);
        if (sum[0] == 0) continue;
        std::int64_t* point = fit.centers.point(k);
        for (std::size_t a = 0; a < 3; ++a) {
            fit.centers.places[k][a] = rounded_ratio(sum[1 + a], sum[0]);
            const double mean = static_cast<double>(sum[1 + a]) / static_cast<double>(sum[0]);
            point[a] = std::llround(fit.scale.scale[a] * mean);
        }
        for (std::size_t c = 0; c < fit.image.n_channels(); ++c)
            point[3 + c] = rounded_ratio(sum[4 + c], sum[0]);
    }
}

// The largest squared colour distance of each centre's pixels.
void widen(const Fit& fit, std::vector<std::int64_t>& largest, const Parallel& parallel) {
    std::mutex mutex;
    const std::size_t n_channels = fit.image.n_channels();
    parallel_blocks(fit.image.n_tiles(), kTilesAtOnce * 8, parallel, [&] {
        return [&, own = std::vector<std::int64_t>()](std::size_t first, std::size_t count) mutable {
            own.assign(fit.centers.size(), 0);
            for (std::size_t i = first * kTilePixels; i < (first + count) * kTilePixels; ++i) {
                if (fit.labels[i] < 0) continue;
                const auto k = static_cast<std::size_t>(fit.labels[i]);
                const std::size_t t = i / kTilePixels;
                const std::size_t row = i / kTileLanes % kTileRows;
                std::int64_t sum = 0;
                for (std::size_t c = 0; c < n_channels; ++c)
                    sum += square(fit.image.lanes(t, row, c)[i % kTileLanes] - fit.centers.point(k)[3 + c]);
                own[k] = std::max(own[k], sum);
            }
            const std::lock_guard lock(mutex);
            for (std::size_t k = 0; k < own.size(); ++k) largest[k] = std::max(largest[k], own[k]);
        };
    });
}

void weigh(Fit& fit, const std::vector<std::int64_t>& largest) {
    const double floor = fit.options.zero_floor * fit.options.zero_floor;
    for (std::size_t k = 0; k < fit.centers.size(); ++k) {
        const double share = floor / std::max(floor, static_cast<double>(largest[k]));
        fit.centers.factors[k] =
            std::max<std::int64_t>(1, std::llround(static_cast<double>(fit.scale.factor) * share));
    }
}

// The mean of the pixels inside within a quarter of the window's reach; of all of them where there is none.
void place_seed(Fit& fit, std::size_t k, const Place3& seed, const Sums& all) {
    Sums own(1, fit.image.n_channels());
    Place3 from{};
    Place3 to{};
    for (std::size_t a = 0; a < 3; ++a) {
        const std::int64_t reach = fit.options.reach[a] / 8;
        from[a] = std::max<std::int64_t>(0, seed[a] - reach);
        to[a] = std::min(static_cast<std::int64_t>(fit.image.shape()[a]) - 1, seed[a] + reach);
    }
    for (std::int64_t z = from[0]; z <= to[0]; ++z)
        for (std::int64_t y = from[1]; y <= to[1]; ++y)
            for (std::int64_t x = from[2]; x <= to[2]; ++x) {
                const TiledImage::At at = fit.image.at({z, y, x});
                if (fit.image.inside(at.tile, at.row)[at.lane]) own.add_pixels(0, fit.image, at, 1, 1);
            }
    const std::int64_t* sum = own.of(0)[0] > 0 ? own.of(0) : all.of(0);
    fit.centers.places[k] = seed;
    std::int64_t* point = fit.centers.point(k);
    for (std::size_t a = 0; a < 3; ++a)
        point[a] = fit.scale.coordinates[a][static_cast<std::size_t>(seed[a])];
    for (std::size_t c = 0; c < fit.image.n_channels(); ++c)
        point[3 + c] = sum[0] > 0 ? rounded_ratio(sum[4 + c], sum[0]) : 0;
}

void place_seeds(Fit& fit, const std::vector<Place3>& seeds) {
    Sums all(1, fit.image.n_channels());
    for (std::size_t t = 0; t < fit.image.n_tiles(); ++t) all.add_tile(0, fit.image, t, 1);
    for (std::size_t k = 0; k < seeds.size(); ++k) place_seed(fit, k, seeds[k], all);
}

}  // namespace

SlicScale::SlicScale(const TiledImage& image, const SlicOptions& options) {
    double colours = 0;
    for (std::size_t c = 0; c < image.n_channels(); ++c) {
        int low = kMaxFeature;
        int high = 0;
        for (std::size_t t = 0; t < image.n_tiles(); ++t) {
            low = std::min<int>(low, image.low(t)[c]);
            high = std::max<int>(high, image.high(t)[c]);
        }
        colours += static_cast<double>(square(std::max(0, high - low)));
    }
    double places = 0;
    bool fine = true;
    for (std::size_t a = 0; a < 3; ++a) {
        // So many that no colour matters any more.
        const auto reach = static_cast<double>(options.reach[a] + kTileReach);
        scale[a] = std::min(options.scale[a], 0x1p28 / reach);
        if (image.shape()[a] == 1) continue;
        const double most = scale[a] * reach + 2;
        places += most * most;
        fine = fine && scale[a] * static_cast<double>(options.reach[a]) >= 2 * kNarrowResolution;
    }
    narrow = options.zero_floor == 0 && fine && colours + places < static_cast<double>(kNarrowFar);
    int shift = narrow ? 0 : kMaxShift;
    while (shift > 0 && std::ldexp(colours + places, 2 * shift) >= static_cast<double>(kWideFar) / 2) --shift;
    factor = std::int64_t{1} << (2 * shift);
    for (std::size_t a = 0; a < 3; ++a) {
        scale[a] = std::ldexp(scale[a], shift);
        for (std::size_t x = 0; x < image.shape()[a]; ++x)
            coordinates[a].push_back(std::llround(scale[a] * static_cast<double>(x)));
    }
}

std::size_t slic(const TiledImage& image, const std::vector<Place3>& seeds, const SlicOptions& options,
                 std::int32_t* labels, const Parallel& parallel) {
    const SlicScale scale(image, options);
    Fit fit{image, options, scale, {image.n_channels(), {}, {}, {}}, {image.shape(), options.reach}, {}, {}};
    fit.centers.places.resize(seeds.size());
    fit.centers.points.resize(seeds.size() * (3 + image.n_channels()));
    fit.centers.factors.assign(seeds.size(), scale.factor);
    fit.labels.assign(image.n_tiles() * kTilePixels, -1);
    fit.uniform.assign(image.n_tiles(), -1);
    place_seeds(fit, seeds);
    Workspace workspace(seeds.size(), image.n_channels());
    Sums sums(seeds.size(), image.n_channels());
    std::vector<std::int64_t> largest(seeds.size());
    std::size_t iteration = 0;
    while (iteration < options.max_iter) {
        ++iteration;
        const std::size_t n_changed = assign(fit, workspace, parallel);
        if (n_changed == 0 || iteration == options.max_iter) break;
        workspace.add_to(sums);
        update(fit, sums);
        if (options.zero_floor > 0) {
            widen(fit, largest, parallel);
            weigh(fit, largest);
        }
    }
    image.untile(fit.labels.data(), labels, parallel);
    return iteration;
}

}  // namespace kmosaic
