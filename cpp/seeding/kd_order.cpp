#include "seeding/kd_order.hpp"

#include <algorithm>
#include <limits>

namespace kmosaic {

namespace {

// Points of a part that decide along which feature it is split.
constexpr std::size_t kSample = 64;
// A part of at most so many points is split to the end by one thread.
constexpr std::size_t kMaxUnshared = 8192;

struct Part {
    std::size_t begin;
    std::size_t end;
};

struct Keyed {
    float key;
    std::uint32_t point;
};

class Splitter {
  public:
    Splitter(const float* values, std::size_t n_features, std::uint32_t* order)
        : values_(values), n_features_(n_features), order_(order) {}

    [[nodiscard]] bool divisible(const Part& part) const { return part.end - part.begin > kBoxFanOut; }

    // Splits the part at a whole number of the largest runs in it; returns the position.
    std::size_t split(const Part& part) {
        const std::size_t n = part.end - part.begin;
        std::size_t run = kBoxFanOut;
        while (run * kBoxFanOut < n) run *= kBoxFanOut;
        const std::size_t middle = ceil_div(n, run) / 2 * run;
        const std::size_t feature = widest_feature(part);
        keyed_.resize(n);
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint32_t point = order_[part.begin + i];
            keyed_[i] = {values_[point * n_features_ + feature], point};
        }
        std::nth_element(keyed_.begin(), keyed_.begin() + static_cast<std::ptrdiff_t>(middle), keyed_.end(),
                         [](const Keyed& a, const Keyed& b) { return a.key < b.key; });
        for (std::size_t i = 0; i < n; ++i) order_[part.begin + i] = keyed_[i].point;
        return part.begin + middle;
    }

    void split_to_end(const Part& part) {
        if (!divisible(part)) return;
        const std::size_t middle = split(part);
        split_to_end({part.begin, middle});
        split_to_end({middle, part.end});
    }

  private:
    [[nodiscard]] std::size_t widest_feature(const Part& part) {
        low_.assign(n_features_, std::numeric_limits<float>::infinity());
        high_.assign(n_features_, -std::numeric_limits<float>::infinity());
        const std::size_t step = ceil_div(part.end - part.begin, kSample);
        for (std::size_t i = part.begin; i < part.end; i += step) {
            const float* point = values_ + order_[i] * n_features_;
            for (std::size_t f = 0; f < n_features_; ++f) {
                low_[f] = std::min(low_[f], point[f]);
                high_[f] = std::max(high_[f], point[f]);
            }
        }
        std::size_t widest = 0;
        for (std::size_t f = 1; f < n_features_; ++f)
            if (high_[f] - low_[f] > high_[widest] - low_[widest]) widest = f;
        return widest;
    }

    const float* values_;
    std::size_t n_features_;
    std::uint32_t* order_;
    std::vector<Keyed> keyed_;
    std::vector<float> low_, high_;
};

}  // namespace

std::vector<std::uint32_t> kd_order(const float* values, std::size_t n, std::size_t n_features,
                                    const Parallel& parallel) {
    std::vector<std::uint32_t> order(n);
    for (std::size_t i = 0; i < n; ++i) order[i] = static_cast<std::uint32_t>(i);
    std::vector<Part> parts{{0, n}};
    while (true) {
        const bool large = std::any_of(parts.begin(), parts.end(),
                                       [](const Part& part) { return part.end - part.begin > kMaxUnshared; });
        std::vector<Part> halves(large ? 2 * parts.size() : 0);
        parallel_for(parts.size(), parallel, [&] {
            return [&, splitter = Splitter(values, n_features, order.data())](std::size_t p) mutable {
                if (!large) return splitter.split_to_end(parts[p]);
                const Part part = parts[p];
                const std::size_t middle = splitter.divisible(part) ? splitter.split(part) : part.end;
                halves[2 * p] = {part.begin, middle};
                halves[2 * p + 1] = {middle, part.end};
            };
        });
        if (!large) return order;
        parts = std::move(halves);
    }
}

}  // namespace kmosaic
