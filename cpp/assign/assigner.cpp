#include "assign/assigner.hpp"

#include "assign/assign.hpp"
#include "assign/one_pass_assigner.hpp"
#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// A step whose bounds mostly fail costs two or three steps without. So quantised rows without PCA codes get bounds
// once no more than one label in kSettledShare changes. If such a step still multiplies most rows and
// panels, the next kFirstPause steps do without, and twice as many each time. (uint8 rows, whose codes are exact, gain
// from the second step on: MNIST, k = 10.)
constexpr std::size_t kSettledShare = 64;
constexpr std::size_t kFirstPause = 8;
constexpr double kMaxPrunedShare = 0.5;

// After so many steps, and three times as many each time, so many rows say whether meeting only near centroids pays.
constexpr std::size_t kFirstLook = 1;
constexpr std::size_t kLooks = 3;
constexpr std::size_t kSampledRows = 32;

}  // namespace

Assigner::Assigner(const Rows& rows, std::size_t steps_expected, const Int16Range* range)
    : rows_(rows), table_(kernels()), steps_expected_(steps_expected), lanes_(rows, table_, range) {}

std::size_t Assigner::assign(const Centers& centers, LabelArray labels, const Parallel& parallel,
                             LabelChanges* changes) {
    check_finite(centers);
    if (planned_clusters_ != centers.n_clusters || steps_expected_ == 1)
        plan_for(centers.n_clusters, parallel);
    return run(centers, labels, parallel, changes);
}

void Assigner::plan_for(std::size_t n_clusters, const Parallel& parallel) {
    planned_clusters_ = 0;  // should a probe be interrupted
    steps_without_bounds_ = 1;
    steps_in_vain_ = 0;
    pause_ = kFirstPause;
    plan_without_labels_.reset();
    steps_with_labels_ = 0;
    plan_ = choose_plan(rows_, n_clusters, steps_expected_, table_, pca_codes_ != nullptr);
    if (plan_.path == Path::kBoundedInt8) {
        const bool with_pca = plan_.pca_codes;
        const PcaCodes* coded = codes(with_pca, parallel);
        record_error_share(plan_, error_share_);
        if (coded && with_pca) record_outside_share(plan_, *outside_share_);
        if (coded && (!bounded_ || &bounded_->pca_codes() != coded))
            bounded_ = std::make_unique<BoundedAssigner>(rows_, CodedRows{table_, *quantized_, *coded},
                                                         plan_.max_groups);
    }
    planned_clusters_ = n_clusters;
}

const PcaCodes* Assigner::codes(bool with_pca, const Parallel& parallel) {
    if (no_codes_) return nullptr;
    if (!quantized_) quantized_ = std::make_unique<QuantizedRows>(rows_, table_, parallel);
    if (outside_share_ && *outside_share_ > kMaxOutsideShare) with_pca = false;
    if (with_pca && !pca_codes_) {
        pca_codes_ = std::make_unique<PcaCodes>(*quantized_, kMaxOutsideShare, table_, parallel);
        outside_share_ = pca_codes_->projection().outside_share;
        if (!pca_codes_->projected()) {
            if (!norms_) norms_ = std::move(pca_codes_);
            pca_codes_.reset();
        }
    } else if (!with_pca && !norms_) {
        norms_ = std::make_unique<PcaCodes>(*quantized_, table_, parallel);
    }
    const PcaCodes* made = with_pca && pca_codes_ ? pca_codes_.get() : norms_.get();
    error_share_ = quantized_->error_share(made->norms());
    no_codes_ = !quantized_rows_pay(error_share_);
    if (!no_codes_) return made;
    norms_.reset();
    pca_codes_.reset();
    quantized_.reset();
    return nullptr;
}

bool Assigner::by_near_centers(const Centers& centers, const LabelArray& labels) {
    if (steps_expected_ == 1 || rows_.n_rows == 0 || rows_.n_rows > UINT32_MAX || centers.n_clusters < 2 ||
        centers.n_clusters > LaneBounds::kMaxClusters || plan_.path == Path::kExact)
        return false;
    if (labels.of(0) < 0) {  // of another fit
        if (plan_without_labels_) plan_ = *plan_without_labels_;
        plan_without_labels_.reset();
        steps_with_labels_ = 0;
        return false;
    }
    if (plan_without_labels_) return true;
    std::size_t look = kFirstLook;
    ++steps_with_labels_;
    for (std::size_t i = 0; i < kLooks; ++i, look *= 3) {
        if (steps_with_labels_ != look) continue;
        if (!near_centers_may_pay(plan_, rows_, centers.n_clusters)) return false;
        Plan plan = plan_;
        record_near_share(plan, rows_, centers.n_clusters,
                          near_share(rows_, centers, labels, kSampledRows, table_));
        if (plan.path != Path::kNearCenters) return false;
        plan_without_labels_ = std::move(plan_);
        plan_ = std::move(plan);
        if (!near_centers_) near_centers_ = std::make_unique<NearCentersAssigner>(rows_, table_);
        return true;
    }
    return false;
}

std::size_t Assigner::run(const Centers& centers, LabelArray labels, const Parallel& parallel,
                          LabelChanges* changes) {
    const auto count = [&](Path path) { ++n_steps_[static_cast<std::size_t>(path)]; };
    if (by_near_centers(centers, labels)) {
        count(Path::kNearCenters);
        return near_centers_->assign(centers, labels, parallel, changes);
    }
    if (plan_.path == Path::kOnePassInt8) {
        if (const auto changed =
                assign_in_one_pass(plan_, table_, rows_, centers, labels.wide(), parallel, changes)) {
            count(Path::kOnePassInt8);
            return *changed;
        }
    }
    if (plan_.path == Path::kBoundedInt8) {
        const bool may_pause = !plan_.pca_codes && !quantized_->exact();
        if (may_pause && steps_without_bounds_ > 0) {
            const CodedRows coded{table_, *quantized_, bounded_->pca_codes()};
            const std::size_t changed =
                assign_in_one_pass(coded, rows_, 0, centers, labels.wide(), parallel, changes);
            if (changed <= rows_.n_rows / kSettledShare) --steps_without_bounds_;
            steps_in_vain_ = 0;
            count(Path::kOnePassInt8);
            return changed;
        }
        const std::size_t changed = bounded_->assign(centers, labels.wide(), parallel, changes);
        steps_in_vain_ = bounded_->pruned_share() > kMaxPrunedShare ? steps_in_vain_ + 1 : 0;
        if (may_pause && steps_in_vain_ == 2) {  // the first only makes them
            steps_without_bounds_ = pause_;
            pause_ *= 2;
        }
        count(Path::kBoundedInt8);
        return changed;
    }
    count(plan_.path);
    if (plan_.path == Path::kExact)
        return assign_exactly(table_, rows_, centers, labels.wide(), parallel, changes);
    return lanes_.assign(plan_, centers, labels, parallel, changes);
}

std::optional<CodedRows> Assigner::code_for_seeds(std::size_t n_seeds, const Parallel& parallel) {
    seeding_plan_ = choose_seeding_plan(rows_, n_seeds);
    if (!seeding_plan_.quantized) return std::nullopt;
    const bool with_pca = seeding_plan_.pca_codes;
    const PcaCodes* coded = codes(with_pca, parallel);
    record_error_share(seeding_plan_, error_share_, coded ? quantized_->scale() : 1);
    if (!seeding_plan_.quantized) return std::nullopt;
    if (with_pca) record_outside_share(seeding_plan_, *outside_share_);
    return CodedRows{table_, *quantized_, *coded};
}

}  // namespace kmosaic
