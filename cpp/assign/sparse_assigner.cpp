#include "assign/sparse_assigner.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/numerics.hpp"
#include "exact/exact_nearest.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr std::size_t kBlock = 256;

// Centroids [feature][centroid], so that a value meets all of them side by side.
struct Transposed {
    explicit Transposed(const Centers& centers)
        : n_clusters(centers.n_clusters),
          width(round_up(n_clusters, kExactPanelWidth)),
          values(centers.n_features * width),
          norms(width) {
        for (std::size_t j = 0; j < n_clusters; ++j) {
            const double* centre = centers.row(j);
            for (std::size_t f = 0; f < centers.n_features; ++f) {
                values[f * width + j] = centre[f];
                norms[j] += centre[f] * centre[f];
            }
        }
        largest = *std::max_element(norms.begin(), norms.end());
    }

    std::size_t n_clusters;
    std::size_t width;
    std::vector<double> values;
    std::vector<double> norms;  // squared
    double largest;             // of them
};

// One thread's scores of a row.
class Scores {
  public:
    Scores(const SparseRows& rows, const Centers& centers, const Transposed& transposed)
        : rows_(rows),
          transposed_(transposed),
          dense_(rows.n_features, 0.0),
          only_{dense_.data(), kFloat64, 1, rows.n_features, nullptr},
          nearest_(only_, centers, kernels()),
          subtract_products_(kernels().exact->subtract_products),
          scores_(transposed.width) {}
    Scores(const Scores&) = delete;
    Scores& operator=(const Scores&) = delete;

    std::int32_t nearest(std::size_t i) {
        const SparseRow row = rows_.row(i);
        std::copy(transposed_.norms.begin(), transposed_.norms.end(), scores_.begin());
        subtract_products_(row.values, row.columns, row.size, transposed_.values.data(), transposed_.width,
                           scores_.data());
        const auto end = scores_.begin() + static_cast<std::ptrdiff_t>(transposed_.n_clusters);
        const double least = *std::min_element(scores_.begin(), end);
        const double limit = least + 2 * error(row);
        candidates_.clear();
        for (std::size_t j = 0; j < transposed_.n_clusters; ++j)
            if (!(scores_[j] > limit)) candidates_.push_back(j);
        return candidates_.size() == 1 ? static_cast<std::int32_t>(candidates_[0]) : decide(row);
    }

  private:
    // L24
    [[nodiscard]] double error(const SparseRow& row) const {
        double square = 0;
        for (std::size_t v = 0; v < row.size; ++v) square += row.values[v] * row.values[v];
        const double product = 2 * std::sqrt(square * transposed_.largest);
        const auto m = static_cast<double>(row.size), d = static_cast<double>(rows_.n_features);
        return kUp64 * kU64 * ((m + 4) * (product + transposed_.largest) + (d + 4) * transposed_.largest) +
               kUnderflow;
    }

    std::int32_t decide(const SparseRow& row) {
        for (std::size_t v = 0; v < row.size; ++v)
            dense_[static_cast<std::size_t>(row.columns[v])] = row.values[v];
        const std::int32_t label = nearest_(0, candidates_);
        for (std::size_t v = 0; v < row.size; ++v) dense_[static_cast<std::size_t>(row.columns[v])] = 0;
        return label;
    }

    const SparseRows& rows_;
    const Transposed& transposed_;
    std::vector<double> dense_;
    Rows only_;
    ExactNearest nearest_;
    decltype(ExactKernels::subtract_products) subtract_products_;
    std::vector<double> scores_;
    std::vector<std::size_t> candidates_;
};

}  // namespace

std::size_t assign(const SparseRows& rows, const Centers& centers, std::int32_t* labels,
                   const Parallel& parallel) {
    check_finite(centers);
    const Transposed transposed(centers);
    return count_in_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&, scores = std::make_unique<Scores>(rows, centers, transposed)](std::size_t first,
                                                                                 std::size_t count) {
            std::size_t n_changed = 0;
            for (std::size_t i = first; i < first + count; ++i) {
                const std::int32_t label = scores->nearest(i);
                n_changed += label != labels[i];
                labels[i] = label;
            }
            return n_changed;
        };
    });
}

}  // namespace kmosaic
