#include "extras/nearest_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/numerics.hpp"
#include "filters/float32_filter.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Rows of a task times references of a pass: 128 x 528 scores, and 528 references of 160 features, stay in
// L2.
constexpr std::size_t kBlock = 128;
constexpr std::size_t kPassPanels = 33;
// Scores that are tested together: most such groups have none within the limit.
constexpr std::size_t kGroup = 48;
static_assert(kPassPanels * kPanelWidth % kGroup == 0 && kGroup % kPanelWidth == 0);

// Of |X|^2: more than two squared distances that are one in float64 differ by (L4).
constexpr double kDistanceRounding = 0x1p-34;

struct Candidate {
    float score;
    std::int32_t index;
};

// The references that may be among the nearest of one row.
class Shortlist {
  public:
    void start(std::size_t n_neighbours, double most, float row_square, const Float32Filter& float32) {
        n_neighbours_ = n_neighbours;
        filtered_ = float32.limit(0, row_square) < kInfinity;
        row_square_ = row_square;
        rounding_ = kDistanceRounding * static_cast<double>(row_square);
        limit_ = float32.limit_within(most, row_square);
        candidates_.clear();
        capacity_ = 4 * n_neighbours + kGroup;
    }

    // Whether there is a limit: not for a row so large that its scores may overflow.
    [[nodiscard]] bool filtered() const { return filtered_; }
    [[nodiscard]] float limit() const { return limit_; }
    [[nodiscard]] const std::vector<Candidate>& candidates() const { return candidates_; }

    void add(const float* scores, std::size_t n, std::size_t first, const Float32Filter& float32) {
        for (std::size_t j = 0; j < n; ++j)
            if (scores[j] <= limit_) candidates_.push_back({scores[j], static_cast<std::int32_t>(first + j)});
        if (candidates_.size() < capacity_) return;
        shrink(float32);
        capacity_ = std::max(capacity_, 2 * candidates_.size());  // many ties: shrink less often
    }

    void shrink(const Float32Filter& float32) {
        if (candidates_.size() < n_neighbours_) return;
        const auto last = candidates_.begin() + static_cast<std::ptrdiff_t>(n_neighbours_ - 1);
        std::nth_element(candidates_.begin(), last, candidates_.end(),
                         [](const Candidate& a, const Candidate& b) { return a.score < b.score; });
        limit_ = std::min(limit_, float32.limit(above(last->score + rounding_), row_square_));
        std::erase_if(candidates_, [&](const Candidate& c) { return c.score > limit_; });
    }

  private:
    bool filtered_ = true;
    std::size_t n_neighbours_ = 0;
    std::size_t capacity_ = 0;
    float row_square_ = 0;
    double rounding_ = 0;
    float limit_ = kInfinity;
    std::vector<Candidate> candidates_;
};

struct Search {
    const Rows& rows;
    const Centers& references;
    const NeighbourSearch& wanted;
    const Float32Filter& float32;
    const Kernels& table;  // one throughout: another thread may select another

    // The index of the reference that is the row itself, or kNotOwn.
    [[nodiscard]] std::size_t own(std::size_t row) const {
        return wanted.own == kNotOwn ? kNotOwn : wanted.own + row;
    }

    // The squared distance beyond which references of the row are not wanted.
    [[nodiscard]] double most(std::size_t row) const {
        return wanted.limits == nullptr ? std::numeric_limits<double>::infinity() : wanted.limits[row];
    }
};

// One thread's work.
class Finder {
  public:
    explicit Finder(const Search& search)
        : search_(search),
          block_(kPadded * search.rows.n_features),
          products_(kPadded * kPassPanels * kPanelWidth),
          shortlists_(kBlock),
          row_(search.rows.n_features) {}

    void operator()(std::size_t first, std::size_t count, const NeighbourLists& result,
                    const Checkpoint& checkpoint) {
        load(first, count);
        for (std::size_t panel = 0; panel < search_.float32.n_panels(); panel += kPassPanels) {
            checkpoint();
            pass(first, count, panel, std::min(kPassPanels, search_.float32.n_panels() - panel));
        }
        for (std::size_t i = 0; i < count; ++i) decide(first + i, shortlists_[i], result);
    }

  private:
    static constexpr std::size_t kPadded = kBlock + 16;  // whole groups of rows of any instruction set

    void load(std::size_t first, std::size_t count) {
        const Rows& rows = search_.rows;
        for (std::size_t i = 0; i < count; ++i) {
            const float square = search_.float32.widen(*search_.table.float32, rows, first + i,
                                                       block_.data() + i * rows.n_features);
            shortlists_[i].start(search_.wanted.n_neighbours, search_.most(first + i), square,
                                 search_.float32);
        }
    }

    void pass(std::size_t first, std::size_t count, std::size_t panel, std::size_t n_panels) {
        const Float32Kernels& kernel = *search_.table.float32;
        const std::size_t padded = round_up(count, kernel.row_group);
        const std::size_t n_features = search_.rows.n_features;
        const std::size_t n_scores = n_panels * kPanelWidth;
        kernel.products(block_.data(), padded, n_features,
                        search_.float32.panels() + panel * kPanelWidth * n_features, n_panels,
                        products_.data());
        const std::size_t reference = panel * kPanelWidth;
        for (std::size_t i = 0; i < count; ++i) {
            float* scores = products_.data() + i * n_scores;
            const float least = kernel.scores(scores, search_.float32.norms() + reference, n_scores);
            const std::size_t own = search_.own(first + i) - reference;  // wraps round if it is before
            if (own < n_scores) scores[own] = kInfinity;
            if (shortlists_[i].filtered() && least <= shortlists_[i].limit())
                take(shortlists_[i], scores, n_scores, reference);
        }
    }

    void take(Shortlist& shortlist, const float* scores, std::size_t n_scores, std::size_t reference) {
        std::size_t last = 0;
        for (std::size_t j = 0; j < n_scores; j += kGroup) {
            const std::size_t n = std::min(kGroup, n_scores - j);
            if (search_.table.float32->count(scores + j, n, shortlist.limit(), &last) > 0)
                shortlist.add(scores + j, n, reference + j, search_.float32);
        }
    }

    void decide(std::size_t row, Shortlist& shortlist, const NeighbourLists& result) {
        shortlist.shrink(search_.float32);
        const Rows& rows = search_.rows;
        search_.table.exact->widen[rows.dtype](rows.row(row), rows.n_features, row_.data());
        exact_.clear();
        for (const Candidate& c : shortlist.candidates()) measure(row, c.index);
        const std::size_t k = search_.wanted.n_neighbours;
        const double most = search_.most(row);
        if (exact_.size() < k && !(shortlist.filtered() && std::isfinite(most))) measure_all(row);
        std::erase_if(exact_, [&](const auto& found) { return found.first > most; });
        exact_.resize(std::max(exact_.size(), k), {std::numeric_limits<double>::infinity(), 0});
        std::partial_sort(exact_.begin(), exact_.begin() + static_cast<std::ptrdiff_t>(k), exact_.end());
        for (std::size_t i = 0; i < k; ++i) {
            result.squares[row * k + i] = exact_[i].first;
            result.indices[row * k + i] = exact_[i].second;
        }
    }

    void measure_all(std::size_t row) {
        exact_.clear();
        for (std::size_t j = 0; j < search_.references.n_clusters; ++j)
            measure(row, static_cast<std::int32_t>(j));
    }

    // Spare lanes of the last panel, and the row itself, have infinite scores; they are listed while there is
    // no limit yet.
    void measure(std::size_t row, std::int32_t index) {
        const auto j = static_cast<std::size_t>(index);
        if (j >= search_.references.n_clusters || j == search_.own(row)) return;
        const double* reference = search_.references.row(j);
        const double square =
            search_.table.exact->squared_distance(row_.data(), reference, search_.rows.n_features);
        exact_.emplace_back(std::isnan(square) ? std::numeric_limits<double>::infinity() : square, index);
    }

    const Search& search_;
    std::vector<float> block_;
    std::vector<float> products_;
    std::vector<Shortlist> shortlists_;
    std::vector<double> row_;
    std::vector<std::pair<double, std::int32_t>> exact_;
};

}  // namespace

void nearest_rows(const Rows& rows, const Centers& references, const NeighbourSearch& search,
                  const NeighbourLists& result, const Parallel& parallel) {
    check_finite(references);
    const Float32Filter float32(references, rows.dtype, Duplicates::kKept);
    const Search all{rows, references, search, float32, kernels()};
    parallel_blocks(rows.n_rows, kBlock, parallel, [&] {
        return [&, finder = Finder(all)](std::size_t first, std::size_t count,
                                         const Checkpoint& checkpoint) mutable {
            finder(first, count, result, checkpoint);
        };
    });
}

}  // namespace kmosaic
