#include "exact/exact_nearest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>

#include "core/numerics.hpp"
#include "kernels/dispatch.hpp"
#include "kernels/double_double.hpp"

namespace kmosaic {

namespace {

// The power of two that brings the largest difference near 1, so that no square overflows and the largest
// does not underflow. 0 if a difference is not finite.
double scale_of(const double* row, const Centers& centers, const std::vector<std::size_t>& candidates) {
    double largest = 0;
    for (const std::size_t j : candidates)
        for (std::size_t f = 0; f < centers.n_features; ++f) {
            const double difference = std::fabs(row[f] - centers.row(j)[f]);
            if (!std::isfinite(difference)) return 0;
            largest = std::max(largest, difference);
        }
    return largest > 0 ? std::ldexp(1.0, std::clamp(-std::ilogb(largest), -1000, 1000)) : 1.0;
}

// a - b exactly, times the scale.
DoubleDouble scaled_difference(double a, double b, double scale) {
    const DoubleDouble difference = two_sum(a, -b);
    return {difference.high * scale, difference.low * scale};
}

DoubleDouble squared_distance(const double* a, const double* b, std::size_t n, double scale) {
    DoubleDouble sum;
    for (std::size_t f = 0; f < n; ++f) {
        const DoubleDouble difference = scaled_difference(a[f], b[f], scale);
        sum = sum + difference * difference;
    }
    return sum;
}

__extension__ typedef unsigned __int128 Product;

// An exact sum of products of doubles: digits of 32 bits, each in an int64, so that carries can wait (L15).
class ExactSum {
  public:
    // Adds a product, unless a factor is not finite.
    void add(double a, double b) {
        if (a == 0 || b == 0 || !std::isfinite(a) || !std::isfinite(b)) return;
        int exponent_a = 0, exponent_b = 0;
        const auto whole_a = static_cast<std::int64_t>(std::ldexp(std::frexp(a, &exponent_a), 53));
        const auto whole_b = static_cast<std::int64_t>(std::ldexp(std::frexp(b, &exponent_b), 53));
        const bool negative = (whole_a < 0) != (whole_b < 0);
        auto remainder =
            static_cast<Product>(std::abs(whole_a)) * static_cast<std::uint64_t>(std::abs(whole_b));
        const auto place = static_cast<std::size_t>(exponent_a + exponent_b - 106 + kLowest);
        auto low = static_cast<std::uint64_t>(remainder) << place % 32 & UINT32_MAX;
        remainder >>= 32 - place % 32;
        for (std::size_t digit = place / 32;; ++digit) {
            digits_[digit] += negative ? -static_cast<std::int64_t>(low) : static_cast<std::int64_t>(low);
            if (remainder == 0) break;
            low = static_cast<std::uint64_t>(remainder) & UINT32_MAX;
            remainder >>= 32;
        }
        if (++n_terms_ == kMaxTerms) carry();
    }

    // -1, 0 or 1.
    [[nodiscard]] int sign() {
        carry();
        if (digits_.back() < 0) return -1;
        return std::any_of(digits_.begin(), digits_.end(), [](std::int64_t digit) { return digit != 0; });
    }

  private:
    static constexpr int kLowest = 2304;  // the first digit counts 2^-kLowest
    static constexpr std::size_t kMaxTerms = std::size_t{1} << 30;

    // Reduces all digits but the last to 0 .. 2^32 - 1.
    void carry() {
        for (std::size_t digit = 0; digit + 1 < digits_.size(); ++digit) {
            digits_[digit + 1] += digits_[digit] >> 32;
            digits_[digit] &= UINT32_MAX;
        }
        n_terms_ = 0;
    }

    std::array<std::int64_t, 144> digits_{};
    std::size_t n_terms_ = 0;
};

// Whether the row is nearer to `b` than to `a`, by |x-b|^2 - |x-a|^2 = sum ((x-b) - (x-a)) ((x-b) + (x-a)):
// each difference is two doubles, so that each term is a sum of sixteen exact products.
bool nearer(const double* row, const double* b, const double* a, std::size_t n) {
    ExactSum sum;
    for (std::size_t f = 0; f < n; ++f) {
        if (a[f] == b[f]) continue;
        const DoubleDouble to_a = two_sum(row[f], -a[f]);
        const DoubleDouble to_b = two_sum(row[f], -b[f]);
        for (const double factor : {to_b.high, to_b.low, -to_a.high, -to_a.low})
            for (const double other : {to_b.high, to_b.low, to_a.high, to_a.low}) sum.add(factor, other);
    }
    return sum.sign() < 0;
}

std::size_t nearest_in_extended_precision(const double* row, const Centers& centers,
                                          const std::vector<std::size_t>& candidates) {
    const std::size_t d = centers.n_features;
    constexpr double kUnderflowError = 0x1p-900;  // more than underflow adds up to (L15)
    const double uncertain = 32.0 * static_cast<double>(d + 1) * kU64 * kU64;  // L15
    const double scale = scale_of(row, centers, candidates);
    if (scale == 0) return candidates[0];
    std::vector<DoubleDouble> distances;
    for (const std::size_t j : candidates)
        distances.push_back(squared_distance(row, centers.row(j), d, scale));
    DoubleDouble least = distances[0];
    for (const DoubleDouble& distance : distances)
        if ((distance - least).high < 0) least = distance;
    // Candidates ascend and only a strictly nearer one replaces the best: this decides ties, for the lowest
    // index (L15).
    std::size_t best = centers.n_clusters;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if ((distances[i] - least).high > uncertain * least.high + kUnderflowError) continue;
        if (best == centers.n_clusters || nearer(row, centers.row(candidates[i]), centers.row(best), d))
            best = candidates[i];
    }
    return best == centers.n_clusters ? candidates[0] : best;
}

}  // namespace

std::int32_t ExactNearest::operator()(std::size_t row, std::vector<std::size_t>& candidates) {
    const double* wide = widen(row);
    const double relative = (static_cast<double>(centers_.n_features) / 16 + 8) * kU64;  // L15
    if (candidates.empty()) {
        candidates.resize(centers_.n_clusters);
        std::iota(candidates.begin(), candidates.end(), std::size_t{0});
    }
    distances_.clear();
    for (const std::size_t j : candidates)
        distances_.push_back(table_.exact->squared_distance(wide, centers_.row(j), centers_.n_features));
    const double least = *std::min_element(distances_.begin(), distances_.end());
    const double limit = std::max(least * (1 + 3 * relative), kUnderflow);  // L15
    std::size_t kept = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i)
        if (distances_[i] <= limit) candidates[kept++] = candidates[i];
    candidates.resize(std::max<std::size_t>(kept, 1));
    return static_cast<std::int32_t>(
        candidates.size() == 1 ? candidates[0] : nearest_in_extended_precision(wide, centers_, candidates));
}

}  // namespace kmosaic
