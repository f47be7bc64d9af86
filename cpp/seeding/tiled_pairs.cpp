#include "seeding/tiled_pairs.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/numerics.hpp"
#include "core/panels.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// Squares below this may have lost bits to underflow (L22).
constexpr double kMinSquare = 1e-290;
// Squared distances of rows of uint16 are exact in float64 up to this many features.
constexpr std::size_t kMaxExactFeatures = std::size_t{1} << 21;
// Pairs of longer rows are measured one by one: tiles of eight would take many times the memory of a few
// rows.
constexpr std::size_t kMaxTiledFeatures = std::size_t{1} << 16;

}  // namespace

TiledPairs::TiledPairs(const Rows& rows, const NearestSeeds& nearest)
    : rows_(rows), table_(kernels()), nearest_(nearest) {}

void TiledPairs::set_rows(const Rows& rows, std::size_t first) {
    rows_ = rows;
    first_ = first;
}

void TiledPairs::take(const std::vector<std::size_t>& candidates, const Parallel& parallel) {
    take_values(widened(rows_, candidates, table_), parallel);
}

void TiledPairs::take_values(std::vector<double> candidates, const Parallel& parallel) {
    const std::size_t d = rows_.n_features;
    n_candidates_ = candidates.size() / d;
    wide_ = std::move(candidates);
    if (d <= kMaxTiledFeatures) panels_ = exact_panels({wide_.data(), n_candidates_, d});
    const std::size_t n_seeds = seeds_.size() / d;
    reaches_.assign(n_seeds, std::numeric_limits<double>::infinity());
    parallel_for(n_seeds, n_seeds * d < 4096 ? Parallel{1, parallel.interrupted} : parallel, [&] {
        return [&](std::size_t s) {
            for (std::size_t c = 0; c < n_candidates_; ++c) {
                const double square =
                    table_.exact->squared_distance(seeds_.data() + s * d, wide_.data() + c * d, d);
                reaches_[s] = std::min(reaches_[s], square < kMinSquare ? 0 : square / 4 * kDown64);
            }
        };
    });
}

void TiledPairs::accept(std::size_t candidate) {
    const double* seed = wide_.data() + candidate * rows_.n_features;
    seeds_.insert(seeds_.end(), seed, seed + rows_.n_features);
}

class TiledFinder : public CandidatePairs::Finder {
  public:
    explicit TiledFinder(const TiledPairs& all)
        : all_(all),
          d_(all.rows_.n_features),
          // Few long rows at a time, so that they stay in cache for all panels.
          n_step_(d_ > kMaxTiledFeatures ? 1 : std::clamp<std::size_t>(16384 / d_ / 8 * 8, 8, 512)),
          exact_(all.rows_.integer() && d_ <= kMaxExactFeatures),
          shrink_(1 - 4 * static_cast<double>(d_ + 16) * kU64),
          wide_(n_step_ * d_),
          tile_(n_step_ * kExactPanelWidth) {}

    void find(std::size_t first, std::size_t count, std::uint32_t candidates,
              std::vector<CloserPair>& found) override {
        list_rows(first, count);
        for (std::size_t begin = 0; begin < rows_.size(); begin += n_step_) {
            const std::size_t n = std::min(n_step_, rows_.size() - begin);
            load(first, rows_.data() + begin, n);
            if (d_ > kMaxTiledFeatures) {
                const std::uint32_t row = rows_[begin];
                measure_pairs(all_.table_, wide_.data(), all_.wide_, d_,
                              {row, candidates, all_.nearest_.squares[first + row]}, found);
                continue;
            }
            for (std::size_t c = 0; c < all_.n_candidates_; c += kExactPanelWidth) {
                all_.table_.exact->squared_distances(wide_.data(), n, d_, all_.panels_.data() + c * d_,
                                                     tile_.data());
                const std::size_t width = std::min(kExactPanelWidth, all_.n_candidates_ - c);
                const std::uint32_t lanes = candidates >> c & ((1U << width) - 1);
                for (std::size_t i = 0; i < n; ++i) check_row({first, rows_[begin + i], i, c}, lanes, found);
            }
        }
    }

  private:
    struct Place {
        std::size_t first;  // of the block
        std::uint32_t row;  // within the block
        std::size_t loaded;
        std::size_t candidate;  // of lane 0
    };

    // Fills rows_ with the rows that the triangle inequality does not rule out.
    void list_rows(std::size_t first, std::size_t count) {
        rows_.resize(count);
        std::size_t n = 0;
        const double* squares = all_.nearest_.squares.data() + first;
        const std::int32_t* seeds = all_.nearest_.seeds.data() + first;
        for (std::size_t r = 0; r < count; ++r) {
            rows_[n] = static_cast<std::uint32_t>(r);
            n += seeds[r] < 0 || squares[r] > all_.reaches_[static_cast<std::size_t>(seeds[r])];
        }
        rows_.resize(n);
    }

    void load(std::size_t first, const std::uint32_t* rows, std::size_t n) {
        const Rows& all = all_.rows_;
        first -= all_.first_;
        const auto widen = all_.table_.exact->widen[all.dtype];
        if (rows[n - 1] - rows[0] + 1 == n) {
            widen(all.row(first + rows[0]), n * d_, wide_.data());
            return;
        }
        for (std::size_t i = 0; i < n; ++i) widen(all.row(first + rows[i]), d_, wide_.data() + i * d_);
    }

    void check_row(const Place& place, std::uint32_t lanes, std::vector<CloserPair>& found) const {
        const double nearest = all_.nearest_.squares[place.first + place.row];
        const double* tile = tile_.data() + place.loaded * kExactPanelWidth;
        const double limit = exact_ ? nearest : nearest / shrink_ + kMinSquare;
        std::uint32_t near = 0;
        for (std::uint32_t l = 0; l < kExactPanelWidth; ++l)
            near |= static_cast<std::uint32_t>(tile[l] < limit) << l;
        for (near &= lanes; near; near &= near - 1) {
            const auto l = static_cast<std::uint32_t>(std::countr_zero(near));
            const std::size_t candidate = place.candidate + l;
            const double square =
                exact_ ? tile[l]
                       : all_.table_.exact->squared_distance(wide_.data() + place.loaded * d_,
                                                             all_.wide_.data() + candidate * d_, d_);
            if (square < nearest) found.push_back({square, place.row, static_cast<std::uint32_t>(candidate)});
        }
    }

    const TiledPairs& all_;
    std::size_t d_;
    std::size_t n_step_;
    bool exact_;     // whether tiles are exact squared distances
    double shrink_;  // covers the rounding of tiles (L22)
    std::vector<std::uint32_t> rows_;
    std::vector<double> wide_;
    std::vector<double> tile_;
};

std::unique_ptr<CandidatePairs::Finder> TiledPairs::finder() const {
    return std::make_unique<TiledFinder>(*this);
}

}  // namespace kmosaic
