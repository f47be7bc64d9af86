// Data that lasts for several steps of k-means: rows as images have them, and the means of clusters.
#pragma once

#include <cmath>
#include <numbers>

#include "assign/bounded_assigner.hpp"
#include "assign/plan.hpp"
#include "core/parallel.hpp"
#include "kernels/dispatch.hpp"
#include "reference.hpp"
#include "samples.hpp"

namespace kmosaic::testing {

inline Parallel threads(std::size_t n) {
    return {n, [] { return false; }};
}

inline double normal(Random& random) {
    return std::sqrt(-2 * std::log(1 - uniform(random))) * std::cos(2 * std::numbers::pi * uniform(random));
}

// Rows round n_groups centres that lie in a space of few dimensions, as images do.
template <class T>
std::vector<double> image_like(std::size_t n, std::size_t d, std::size_t n_groups, Random& random) {
    constexpr std::size_t kRank = 80;
    constexpr double kMiddle = std::is_same_v<T, std::int8_t> ? 0 : 128;
    std::vector<double> directions(kRank * d);
    for (double& value : directions) value = normal(random);
    std::vector<double> places(n_groups * kRank);
    for (double& value : places) value = 3 * normal(random);
    std::vector<double> rows(n * d);
    for (std::size_t i = 0; i < n; ++i) {
        const double* place = places.data() + below(random, n_groups) * kRank;
        double at[kRank];
        for (std::size_t r = 0; r < kRank; ++r) at[r] = place[r] + normal(random);
        for (std::size_t f = 0; f < d; ++f) {
            double value = kMiddle + 3 * normal(random);
            for (std::size_t r = 0; r < kRank; ++r) value += at[r] * directions[r * d + f];
            rows[i * d + f] =
                kIsInteger<T> ? std::clamp(std::round(value), kMiddle - 128, kMiddle + 127) : value / 255;
        }
    }
    return rows;
}

inline std::vector<double> means_of(const Rows& rows, const std::vector<std::int32_t>& labels,
                                    std::vector<double> centers) {
    const std::size_t d = rows.n_features;
    std::vector<double> sums(centers.size(), 0.0);
    std::vector<double> counts(centers.size() / d, 0.0);
    for (std::size_t i = 0; i < rows.n_rows; ++i) {
        const auto j = static_cast<std::size_t>(labels[i]);
        counts[j] += 1;
        for (std::size_t f = 0; f < d; ++f) sums[j * d + f] += value_at(rows, i, f);
    }
    for (std::size_t j = 0; j < counts.size(); ++j)
        for (std::size_t f = 0; f < d; ++f)
            if (counts[j] > 0) centers[j * d + f] = sums[j * d + f] / counts[j];
    return centers;
}

// Steps with bounds from the first on, whatever the planner would choose: for rows of more features than go
// into lanes at once, whose codes tell them apart.
class AlwaysBounded {
  public:
    explicit AlwaysBounded(const Rows& rows)
        : codes_(rows, kernels(), threads(1)),
          pca_codes_(rows.n_features >= 3 * kPcaFeatures && rows.n_rows >= 4096
                         ? PcaCodes(codes_, kMaxOutsideShare, kernels(), threads(1))
                         : PcaCodes(codes_, kernels(), threads(1))),
          bounded_(rows, {kernels(), codes_, pca_codes_}, 8) {}

    void assign(const Centers& centers, std::int32_t* labels) {
        bounded_.assign(centers, labels, threads(2));
    }

  private:
    QuantizedRows codes_;
    PcaCodes pca_codes_;
    BoundedAssigner bounded_;
};

}  // namespace kmosaic::testing
