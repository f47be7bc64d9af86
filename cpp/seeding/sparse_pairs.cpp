#include "seeding/sparse_pairs.hpp"

#include <algorithm>

#include "core/numerics.hpp"
#include "exact/sparse_distances.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// Squares below this may have lost bits to underflow (L22).
constexpr double kMinSquare = 1e-290;

}  // namespace

SparsePairs::SparsePairs(const SparseRows& rows, const NearestSeeds& nearest)
    : rows_(rows),
      nearest_(nearest),
      subtract_products_(kernels().exact->subtract_products),
      norms_(rows.n_rows) {
    for (std::size_t i = 0; i < rows.n_rows; ++i) {
        const SparseRow row = rows.row(i);
        for (std::size_t v = 0; v < row.size; ++v) norms_[i] += row.values[v] * row.values[v];
    }
}

void SparsePairs::take(const std::vector<std::size_t>& candidates, const Parallel& parallel) {
    const std::size_t width = round_up(candidates.size(), kExactPanelWidth);
    if (width != width_) wide_.assign(rows_.n_features * width, 0.0);
    width_ = width;
    write_candidates(false);
    candidates_ = candidates;
    write_candidates(true);
    reaches_.resize(seeds_.size());
    parallel_for(seeds_.size(), parallel, [&] {
        return [&](std::size_t s) {
            double least = std::numeric_limits<double>::infinity();
            for (const std::size_t c : candidates_)
                least = std::min(least, squared_distance(rows_.row(seeds_[s]), rows_.row(c)));
            reaches_[s] = least < kMinSquare ? 0 : least / 4 * kDown64;
        };
    });
}

// Or zeros in their place, in time of their values alone.
void SparsePairs::write_candidates(bool values) {
    for (std::size_t c = 0; c < std::min(candidates_.size(), width_); ++c) {
        const SparseRow row = rows_.row(candidates_[c]);
        for (std::size_t v = 0; v < row.size; ++v)
            wide_[static_cast<std::size_t>(row.columns[v]) * width_ + c] = values ? row.values[v] : 0;
    }
}

class SparseFinder : public CandidatePairs::Finder {
  public:
    explicit SparseFinder(const SparsePairs& all) : all_(all) {}

    void find(std::size_t first, std::size_t count, std::uint32_t candidates,
              std::vector<CloserPair>& found) override {
        for (std::size_t r = 0; r < count; ++r) {
            const std::size_t i = first + r;
            const std::int32_t seed = all_.nearest_.seeds[i];
            if (seed >= 0 && all_.nearest_.squares[i] <= all_.reaches_[static_cast<std::size_t>(seed)])
                continue;
            check_row(i, static_cast<std::uint32_t>(r), candidates, found);
        }
    }

  private:
    // A candidate is measured unless |x|^2 + |c|^2 - 2 x.c, less what it may have been rounded by, is too
    // large (L24).
    void check_row(std::size_t i, std::uint32_t r, std::uint32_t candidates, std::vector<CloserPair>& found) {
        const SparseRow row = all_.rows_.row(i);
        double scores[kMaxCandidates] = {};
        all_.subtract_products_(row.values, row.columns, row.size, all_.wide_.data(), all_.width_, scores);
        const double nearest = all_.nearest_.squares[i];
        for (std::size_t c = 0; c < all_.candidates_.size(); ++c) {
            if (!(candidates >> c & 1U)) continue;
            const SparseRow candidate = all_.rows_.row(all_.candidates_[c]);
            const double squares = all_.norms_[i] + all_.norms_[all_.candidates_[c]];
            const double error =
                4 * static_cast<double>(row.size + candidate.size + 16) * kU64 * squares + kMinSquare;
            if (squares + scores[c] - error > nearest) continue;
            const double square = squared_distance(row, candidate);
            if (square < nearest) found.push_back({square, r, static_cast<std::uint32_t>(c)});
        }
    }

    const SparsePairs& all_;
};

std::unique_ptr<CandidatePairs::Finder> SparsePairs::finder() const {
    return std::make_unique<SparseFinder>(*this);
}

}  // namespace kmosaic
