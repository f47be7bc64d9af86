#include "assign/one_pass_assigner.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "exact/exact_nearest.hpp"
#include "filters/quantized_centers.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// Rows of a task: four of the kernels' groups, whose products with a few hundred centroids stay in L2.
constexpr std::size_t kBlock = 48;

// Rows that are not uint8 are quantised this many bytes of codes at a time, and this many rows at least.
constexpr std::size_t kChunkBytes = std::size_t{1} << 24;
constexpr std::size_t kMinChunk = 8192;

// The rows from `first` on, `n` at most.
Rows part_of(const Rows& rows, std::size_t first, std::size_t n) {
    return {rows.row(first), rows.dtype, std::min(n, rows.n_rows - first), rows.n_features, nullptr};
}

struct Task {
    std::size_t first;  // the first of the rows among all
    const Rows& rows;
    const Centers& centers;
    const QuantizedRows& codes;
    const PcaCodes& pca_codes;
    const QuantizedCenters& centroids;
    const Kernels& table;
};

// A centroid that may be nearest, its product with the row, and the lower end of its refined score.
struct Finalist {
    std::size_t centroid;
    std::int32_t product;
    double low = 0;
};

// One thread's work on a block of rows.
class OnePassWorker {
  public:
    OnePassWorker(const Task& task, std::int32_t* labels, LabelChanges* changes)
        : task_(task),
          n_lanes_(task.centroids.center_groups().n_lanes()),
          labels_(labels, changes),
          row_codes_(task.codes, kBlock),
          codes_(kBlock),
          products_(kBlock * n_lanes_),
          lanes_(n_lanes_),
          exact_nearest_(task.rows, task.centers, task.table) {}

    std::size_t operator()(std::size_t first, std::size_t count) {
        const BytePanel all = task_.centroids.panel(0);
        row_codes_.start(first);
        for (std::size_t i = 0; i < count; ++i) codes_[i] = row_codes_[first + i];
        task_.table.bytes->products(codes_.data(), count, all.n_quads, all.codes, n_lanes_ / kPanelWidth,
                                    products_.data());
        std::size_t changed = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::int32_t label = nearest_of_all(first + i, all, products_.data() + i * n_lanes_);
            changed += labels_(task_.first + first + i, label);
        }
        return changed;
    }

  private:
    std::int32_t nearest_of_all(std::size_t row, const BytePanel& all, const std::int32_t* products) {
        // Both ends of an interval are off by at most the slack (L12).
        const ByteRow about{nullptr, task_.pca_codes.norm(row), task_.pca_codes.outside_norm(row),
                            static_cast<float>(2.01 * task_.centroids.coarse_slack(row))};
        const std::size_t n =
            task_.table.bytes->list_candidates(all, about, products, n_lanes_, lanes_.data());
        const CenterGroups& center_groups = task_.centroids.center_groups();
        if (n == 1) return center_groups.centroid_of[lanes_[0]];
        finalists_.clear();
        for (std::size_t c = 0; c < n; ++c)
            if (const std::int32_t j = center_groups.centroid_of[lanes_[c]];
                j >= 0 && !task_.centroids.is_duplicate(static_cast<std::size_t>(j)))
                finalists_.push_back({static_cast<std::size_t>(j), products[lanes_[c]]});
        // What is in doubt of other rows is mostly their own error, which a second product does not narrow.
        if (task_.codes.exact()) refine(row);
        nearest_.clear();
        for (const Finalist& finalist : finalists_) nearest_.push_back(finalist.centroid);
        if (nearest_.size() == 1) return static_cast<std::int32_t>(nearest_[0]);
        std::sort(nearest_.begin(), nearest_.end());
        return exact_nearest_(row, nearest_);
    }

    // Rules out finalists by the intervals of their scores, refined by a second product each.
    void refine(std::size_t row) {
        double best = std::numeric_limits<double>::infinity();
        for (Finalist& finalist : finalists_) {
            const BytePair pair{row_codes_[row], task_.centroids.residual_codes(finalist.centroid)};
            std::int32_t residual_product = 0;
            task_.table.bytes->dots(&pair, 1, task_.codes.n_bytes(), &residual_product);
            const Interval score = task_.centroids.refined_score(
                row, finalist.centroid, task_.centroids.score(row, finalist.centroid, finalist.product),
                residual_product);
            finalist.low = score.low;
            best = std::min(best, score.high);
        }
        std::erase_if(finalists_, [&](const Finalist& finalist) { return finalist.low > best; });
    }

    const Task& task_;
    std::size_t n_lanes_;
    LabelWriter labels_;
    RowCodes row_codes_;
    std::vector<const std::uint8_t*> codes_;
    std::vector<std::int32_t> products_;  // [row][lane]
    std::vector<std::uint32_t> lanes_;
    std::vector<Finalist> finalists_;
    std::vector<std::size_t> nearest_;  // the finalists that are left
    ExactNearest exact_nearest_;
};

}  // namespace

std::size_t assign_in_one_pass(const CodedRows& coded, const Rows& rows, std::size_t begin,
                               const Centers& centers, std::int32_t* labels, const Parallel& parallel,
                               LabelChanges* changes) {
    QuantizedCenters centroids(coded.quantized, coded.pca_codes, coded.table, centers.n_clusters, 1);
    centroids.update(centers, parallel);
    const Task task{begin, rows, centers, coded.quantized, coded.pca_codes, centroids, coded.table};
    return count_in_blocks(rows.n_rows, kBlock, parallel,
                           [&] { return OnePassWorker(task, labels, changes); });
}

std::optional<std::size_t> assign_in_one_pass(Plan& plan, const Kernels& table, const Rows& rows,
                                              const Centers& centers, std::int32_t* labels,
                                              const Parallel& parallel, LabelChanges* changes) {
    const std::size_t n_chunk =
        size_of(rows.dtype) == 1 ? rows.n_rows : std::max(kChunkBytes / rows.n_features, kMinChunk);
    std::size_t changed = 0;
    for (std::size_t begin = 0; begin < rows.n_rows; begin += n_chunk) {
        const Rows chunk = part_of(rows, begin, n_chunk);
        const QuantizedRows codes(chunk, table, parallel);
        const PcaCodes pca_codes(codes, table, parallel);
        if (begin == 0) record_error_share(plan, codes.error_share(pca_codes.norms()));
        if (plan.path != Path::kOnePassInt8) return std::nullopt;
        changed +=
            assign_in_one_pass({table, codes, pca_codes}, chunk, begin, centers, labels, parallel, changes);
    }
    return changed;
}

}  // namespace kmosaic
