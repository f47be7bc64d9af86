// The same bits on every machine: a digest of a whole fit, written down once (on x86-64) and checked
// everywhere.
#include <bit>

#include "assign/assign.hpp"
#include "check.hpp"
#include "core/hash_order.hpp"
#include "exact/distances.hpp"
#include "samples.hpp"
#include "seeding/kmeans_plus_plus.hpp"
#include "sums.hpp"

namespace kmosaic::testing {
namespace {

class Digest {
  public:
    void add(std::uint64_t value) { state_ = (state_ ^ value) * 0x9e3779b97f4a7c15ULL + (state_ >> 29); }
    void add(double value) { add(std::bit_cast<std::uint64_t>(value)); }
    void add(std::int32_t value) { add(static_cast<std::uint64_t>(value)); }
    template <class T>
    void add(const std::vector<T>& values) {
        for (const T value : values) add(value);
    }
    [[nodiscard]] std::uint64_t value() const { return state_; }

  private:
    std::uint64_t state_ = 1;
};

template <class T>
std::uint64_t digest_of_fit() {
    constexpr std::size_t n = 700, d = 37, k = 9;
    Random random(17);
    const Parallel parallel{3, [] { return false; }};
    Values<T> values(n * d);
    fill_any(values, random);
    const Rows rows = rows_of(values, d);
    std::vector<double> centers(values.data(), values.data() + k * d);
    const Centers view{centers.data(), k, d};
    std::vector<std::int32_t> labels(n, -1);
    ClusterSums sums = empty_sums(rows, k);
    sums.add_squares(rows, parallel);
    Digest digest;
    for (int iteration = 0; iteration < 5; ++iteration) {
        assign(rows, view, labels.data(), parallel);
        sums.clear();
        sums.add(rows, labels.data(), parallel);
        digest.add(sums.inertia(view).value);
        sums.means(centers.data());
        digest.add(sums.inertia(view).value);
    }
    std::vector<double> matrix(n * k), own(n);
    std::vector<std::uint64_t> hashes(n);
    squared_distances(rows, view, matrix.data(), parallel);
    own_squared_distances(rows, view, labels.data(), own.data(), parallel);
    hash_rows(rows, hashes.data(), parallel);
    const HashOrder order = hash_order(rows, parallel);
    Seeder seeder(rows, order.rows.data(), nullptr);
    seeder.add_best(seeder.draw({0.5}), parallel);
    std::vector<double> gains = seeder.gains(seeder.draw({0.1, 0.4, 0.9}), parallel);
    digest.add(labels);
    for (const auto* part : {&centers, &matrix, &own, &gains}) digest.add(*part);
    digest.add(hashes);
    return digest.value();
}

TEST(a_fit_has_the_bits_written_down_here) {
    constexpr std::uint64_t kExpected[kDtypes] = {
        0x405b92e86ff90c52ULL, 0x8aaf4006c2ca7424ULL, 0xce063810ecd338fbULL, 0x2a34d85c212d1113ULL,
        0x3ac306e9534cb49cULL, 0x69e64c4033fd2558ULL, 0x8f81c4db335dfdb1ULL, 0x6c24146621576f57ULL};
    for (const std::string& name : supported_variants()) {
        select_kernels(name);
        for_each_dtype([&](auto zero) {
            using T = decltype(zero);
            const std::uint64_t digest = digest_of_fit<T>();
            context() = name + " " + name_of(dtype_of<T>()) + " digest " + std::to_string(digest);
            CHECK(digest == kExpected[dtype_of<T>()]);
        });
    }
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
