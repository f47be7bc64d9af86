#include "seeding/filtered_pairs.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/numerics.hpp"

namespace kmosaic {

namespace {

// Rows to prefetch ahead of the present one.
constexpr std::size_t kAhead = 4;
constexpr std::size_t kBlock = 512;
// Rows whose bytes are made together, where they are not stored.
constexpr std::size_t kMadeRows = 48;
constexpr int kLargestInt8 = 127;

}  // namespace

FilteredPairs::FilteredPairs(const Rows& rows, const CodedRows& coded, const NearestSeeds& nearest)
    : rows_(rows),
      table_(coded.table),
      codes_(coded.quantized),
      pca_codes_(coded.pca_codes),
      nearest_(nearest),
      inverse_(1 / codes_.scale()),
      inverse_square_(inverse_ * inverse_) {}

void FilteredPairs::take(const std::vector<std::size_t>& candidates, const Parallel& parallel) {
    const std::size_t d = rows_.n_features;
    if (!panel_ || candidates.size() != candidates_.size())
        panel_ = std::make_unique<QuantizedCenters>(codes_, pca_codes_, table_, candidates.size(), 1);
    candidates_ = candidates;
    wide_ = widened(rows_, candidates, table_);
    panel_->update({wide_.data(), candidates.size(), d}, parallel);
    copy_codes();
    if (table_.bytes->largest_code < kLargestInt8) return;
    if (sizes_.empty()) measure_sizes(parallel);
    sign_codes();
}

// |v|^2 - 256 sum(v) = |v - 128|^2 - 128^2 n.
void FilteredPairs::measure_sizes(const Parallel& parallel) {
    const std::size_t d = rows_.n_features;
    const std::vector<std::uint8_t> middle(d, 128);
    sizes_.resize(rows_.n_rows);
    parallel_blocks(rows_.n_rows, kBlock, parallel, [&] {
        return [&, codes = RowCodes(codes_, kBlock)](std::size_t first, std::size_t count) mutable {
            codes.start(first);
            for (std::size_t i = first; i < first + count; ++i)
                sizes_[i] = table_.bytes->squared_distance(codes[i], middle.data(), d) -
                            128 * 128 * static_cast<std::int64_t>(d);
        };
    });
}

void FilteredPairs::copy_codes() {
    RowCodes single(codes_, 1);
    candidate_codes_.resize(candidates_.size());
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
        single.start(candidates_[c]);
        const std::uint8_t* code = single[candidates_[c]];
        candidate_codes_[c].assign(code, code + rows_.n_features);
    }
}

void FilteredPairs::sign_codes() {
    const std::size_t d = rows_.n_features;
    const std::vector<std::uint8_t> zero(d, 0);
    signed_.resize(candidates_.size());
    squares_.resize(candidates_.size());
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
        const std::uint8_t* code = candidate_codes_[c].data();
        signed_[c].assign(codes_.n_bytes(), 0);
        for (std::size_t f = 0; f < d; ++f) signed_[c][f] = static_cast<std::int8_t>(code[f] - 128);
        squares_[c] = table_.bytes->squared_distance(code, zero.data(), d);
    }
}

class FilteredFinder : public CandidatePairs::Finder {
  public:
    explicit FilteredFinder(const FilteredPairs& all)
        : all_(all), wide_(all.rows_.n_features), codes_(all.codes_, kMadeRows) {}

    void find(std::size_t first, std::size_t count, std::uint32_t candidates,
              std::vector<CloserPair>& found) override {
        const std::size_t n_together = all_.codes_.stored() ? count : kMadeRows;
        for (std::size_t begin = 0; begin < count; begin += n_together)
            find_part(first, begin, std::min(n_together, count - begin), candidates, found);
    }

  private:
    // Rows `begin` to `begin` + `count` of the block whose first row is `first`.
    void find_part(std::size_t first, std::size_t begin, std::size_t count, std::uint32_t candidates,
                   std::vector<CloserPair>& found) {
        codes_.start(first + begin);
        prune(first, begin, count, candidates);
        for (std::size_t s = 0; s < unpruned_.size(); ++s) {
            if (s + kAhead < unpruned_.size() && all_.codes_.stored()) {
                const std::uint8_t* next = codes_[first + unpruned_[s + kAhead].row];
                fetch(next, next + all_.codes_.n_features());
            }
            if (all_.codes_.exact())
                measure_codes(first, unpruned_[s], found);
            else
                unpruned_[s].candidates = close_codes(first + unpruned_[s].row, unpruned_[s].candidates);
        }
        if (all_.codes_.exact()) return;
        std::erase_if(unpruned_, [](const RowCandidates& unpruned) { return unpruned.candidates == 0; });
        for (std::size_t s = 0; s < unpruned_.size(); ++s) {
            if (s + 1 < unpruned_.size())
                fetch(all_.rows_.row(first + unpruned_[s + 1].row),
                      all_.rows_.row(first + unpruned_[s + 1].row + 1));
            all_.table_.exact->widen[all_.rows_.dtype](all_.rows_.row(first + unpruned_[s].row), wide_.size(),
                                                       wide_.data());
            measure_pairs(all_.table_, wide_.data(), all_.wide_, wide_.size(), unpruned_[s], found);
        }
    }

    void prune(std::size_t block, std::size_t begin, std::size_t count, std::uint32_t candidates) {
        const std::size_t first = block + begin;
        const CenterGroups& center_groups = all_.panel_->center_groups();
        std::uint32_t excluded = 0;
        for (std::size_t l = 0; l < kPanelWidth; ++l) {
            const std::int32_t candidate = center_groups.centroid_of[l];
            if (candidate < 0 || !(candidates >> candidate & 1U)) excluded |= 1U << l;
        }
        batch_.resize(count);
        masks_.resize(count);
        least_.resize(count * kPanelWidth);
        for (std::size_t r = 0; r < count; ++r)
            batch_[r] = {all_.pca_codes_.row(first + r, codes_), all_.pca_codes_.norm(first + r),
                         all_.pca_codes_.outside_norm(first + r), limit_of(first + r)};
        excluded_.assign(count, static_cast<std::uint16_t>(excluded));
        all_.table_.bytes->prune(all_.panel_->panel(0),
                                 {batch_.data(), count, 1, excluded_.data(), masks_.data(), least_.data()});
        unpruned_.clear();
        for (std::size_t r = 0; r < count; ++r)
            if (masks_[r])
                unpruned_.push_back({static_cast<std::uint32_t>(begin + r), candidates_in(masks_[r]),
                                     all_.nearest_.squares[first + r]});
    }

    // An upper bound of the score of a candidate that is nearer to the row than its nearest seed (L22).
    [[nodiscard]] float limit_of(std::size_t row) const {
        const double error = static_cast<double>(all_.codes_.error(row));
        const double norm = std::max(static_cast<double>(all_.pca_codes_.norm(row)) * kNormDown - error, 0.0);
        const double limit = all_.nearest_.squares[row] * all_.inverse_square_ * kUp64 - norm * norm +
                             all_.panel_->coarse_slack(row);
        return static_cast<float>(limit + 0x1p-23 * std::fabs(limit));  // L2
    }

    // A bit for each candidate, given one for each lane.
    [[nodiscard]] std::uint32_t candidates_in(std::uint32_t lanes) const {
        std::uint32_t candidates = 0;
        for (; lanes; lanes &= lanes - 1)
            candidates |= 1U << all_.panel_->center_groups()
                                    .centroid_of[static_cast<std::size_t>(std::countr_zero(lanes))];
        return candidates;
    }

    static void fetch(const void* begin, const void* end) {
        for (const auto* line = static_cast<const char*>(begin); line < end; line += kByteBlock)
            __builtin_prefetch(line);
    }

    // Fills close_ with the candidates, and squares_ with the squared distances of their codes from the
    // row's.
    void compare_codes(std::size_t row, std::uint32_t candidates) {
        n_close_ = 0;
        for (; candidates; candidates &= candidates - 1)
            close_[n_close_++] = static_cast<std::uint32_t>(std::countr_zero(candidates));
        if (all_.sizes_.empty()) {
            for (std::size_t i = 0; i < n_close_; ++i)
                squares_[i] = all_.table_.bytes->squared_distance(
                    codes_[row], all_.candidate_codes_[close_[i]].data(), all_.rows_.n_features);
            return;
        }
        BytePair pairs[kMaxCandidates];
        std::int32_t products[kMaxCandidates];
        for (std::size_t i = 0; i < n_close_; ++i) pairs[i] = {codes_[row], all_.signed_[close_[i]].data()};
        all_.table_.bytes->dots(pairs, n_close_, all_.codes_.n_bytes(), products);
        for (std::size_t i = 0; i < n_close_; ++i)
            squares_[i] =
                all_.sizes_[row] + all_.squares_[close_[i]] - 2 * static_cast<std::int64_t>(products[i]);
    }

    void measure_codes(std::size_t first, const RowCandidates& unpruned, std::vector<CloserPair>& found) {
        compare_codes(first + unpruned.row, unpruned.candidates);
        for (std::size_t i = 0; i < n_close_; ++i)
            if (static_cast<double>(squares_[i]) < unpruned.nearest)
                found.push_back({static_cast<double>(squares_[i]), unpruned.row, close_[i]});
    }

    // The candidates that |X - Y| >= |v_X - v_Y| - |delta_X| - |delta_Y| does not rule out (L22).
    [[nodiscard]] std::uint32_t close_codes(std::size_t row, std::uint32_t candidates) {
        const double reach = std::sqrt(all_.nearest_.squares[row]) * all_.inverse_ * kUp64 +
                             static_cast<double>(all_.codes_.error(row));
        compare_codes(row, candidates);
        std::uint32_t close = 0;
        for (std::size_t i = 0; i < n_close_; ++i) {
            const double limit =
                (reach + static_cast<double>(all_.codes_.error(all_.candidates_[close_[i]]))) * kUp64;
            if (!(static_cast<double>(squares_[i]) > limit * limit)) close |= 1U << close_[i];
        }
        return close;
    }

    const FilteredPairs& all_;
    std::vector<double> wide_;
    RowCodes codes_;
    std::vector<ByteRow> batch_;
    std::vector<std::uint16_t> excluded_;
    std::vector<std::uint16_t> masks_;
    std::vector<float> least_;
    std::vector<RowCandidates> unpruned_;  // rows are counted within the block
    std::size_t n_close_ = 0;
    std::uint32_t close_[kMaxCandidates];
    std::int64_t squares_[kMaxCandidates];
};

std::unique_ptr<CandidatePairs::Finder> FilteredPairs::finder() const {
    return std::make_unique<FilteredFinder>(*this);
}

}  // namespace kmosaic
