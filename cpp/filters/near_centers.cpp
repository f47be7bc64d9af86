#include "filters/near_centers.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/numerics.hpp"
#include "core/panels.hpp"

namespace kmosaic {

namespace {

// Above all that squares lose to underflow (L25).
constexpr double kUnderflowDistance = 1e-17;

}  // namespace

NearCenters::NearCenters(const Centers& centers, Dtype dtype, const Kernels& table)
    : table_(table),
      all_(centers, dtype),
      filter_(centers, dtype, Duplicates::kKept),
      rows_((centers.n_clusters + 1) * centers.n_features, 0.0F),
      norms_(centers.n_clusters + 1, std::numeric_limits<float>::infinity()),
      filter_norms_(filter_.norms(), filter_.norms() + filter_.n_panels() * kPanelWidth),
      squares_(centers.n_clusters),
      listed_{all_.centroids(), rows_.data(), norms_.data()} {
    const std::size_t d = centers.n_features;
    const LaneCenters& lanes = all_.centroids();
    for (std::size_t j = 0; j < centers.n_clusters; ++j) {
        norms_[j] = lanes.norms[j];
        if (std::isinf(norms_[j])) filter_norms_[j] = norms_[j];
        for (std::size_t f = 0; f < d; ++f) {
            rows_[j * d + f] = lanes.coefficients[in_panels(j, f, d, kLaneGroup)];
            const double value = (centers.row(j)[f] - filter_.origin()[f]) * filter_.scale();
            squares_[j] += value * value;
        }
    }
}

// L25
OwnCenter NearCenters::own(std::size_t cluster) const {
    const double growth = (1 + (static_cast<double>(listed_.lanes.n_features) + 8) * kU32) * kUp32;
    const double norm = std::sqrt(squares_[cluster]) * (listed_.lanes.scale / filter_.scale());
    return {rows_.data() + cluster * listed_.lanes.n_features, above(growth),
            above(2 * kU32 * kSecondOrder * growth),
            above((2 * kU32 * kSecondOrder * norm + kUnderflowDistance) * kUp32)};
}

NearCenters::Search::Search(const NearCenters& all)
    : all_(all),
      rows_(all.table_.float32->row_group * all.listed_.lanes.n_features),
      products_(all.table_.float32->row_group * all.filter_.n_panels() * kPanelWidth),
      list_(all.filter_.n_panels() * kPanelWidth + kPanelWidth + kListGroup) {}

void NearCenters::Search::start(std::size_t cluster) {
    cluster_ = cluster;
    if (cluster < first_ || cluster >= first_ + n_multiplied_) multiply(cluster);
}

// This centroid and those that follow it: they are asked for next.
void NearCenters::Search::multiply(std::size_t cluster) {
    const Float32Filter& filter = all_.filter_;
    const Float32Kernels& kernel = *all_.table_.float32;
    const std::size_t d = all_.listed_.lanes.n_features;
    first_ = cluster;
    n_multiplied_ = std::min(kernel.row_group, all_.n_clusters() - cluster);
    for (std::size_t i = 0; i < n_multiplied_; ++i)
        for (std::size_t f = 0; f < d; ++f)
            rows_[i * d + f] = filter.panels()[in_panels(cluster + i, f, d, kPanelWidth)];
    kernel.products(rows_.data(), kernel.row_group, d, filter.panels(), filter.n_panels(), products_.data());
}

// L25
CenterList NearCenters::Search::within(float radius) {
    const Float32Filter& filter = all_.filter_;
    const std::size_t width = filter.n_panels() * kPanelWidth;
    const double square = all_.squares_[cluster_];
    const double reach = static_cast<double>(radius) * (filter.scale() / all_.listed_.lanes.scale);
    const double score = reach * reach * kUp64 - square * kDown64;
    constexpr float kAll = std::numeric_limits<float>::max();  // but what is excluded
    const float limit = score < 1e30 ? std::min(filter.limit(above(score), above(square)), kAll) : kAll;
    n_found_ = all_.table_.listed->below(products_.data() + (cluster_ - first_) * width,
                                         all_.filter_norms_.data(), width, limit, list_.data());
    std::size_t n = n_found_;
    while (n % kListGroup != 0) list_[n++] = static_cast<std::uint32_t>(all_.n_clusters());
    return {list_.data(), n};
}

}  // namespace kmosaic
