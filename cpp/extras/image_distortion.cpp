#include "extras/image_distortion.hpp"

#include <algorithm>
#include <vector>

#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// Images of a task: a few milliseconds for small images with 50 candidates each.
constexpr std::size_t kBlock = 32;
constexpr std::size_t kCacheLine = 64;
constexpr std::size_t kMaxFetched = 64 * kCacheLine;

// Writes the distortions of one image's pairs, and keeps the `wanted` least of them.
class Ranking {
  public:
    explicit Ranking(std::size_t wanted) : wanted_(wanted) {}

    void begin(std::int64_t* out) {
        out_ = out;
        heap_.clear();
    }

    // A distortion above this is not among the least.
    [[nodiscard]] std::uint64_t limit() const { return heap_.size() < wanted_ ? UINT64_MAX : heap_.front(); }

    void add(std::size_t c, std::uint64_t found) {
        out_[c] = static_cast<std::int64_t>(found);
        if (found > limit()) return;
        heap_.push_back(found);
        std::push_heap(heap_.begin(), heap_.end());
        if (heap_.size() <= wanted_) return;
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
    }

    void finish(std::size_t n) {
        const auto most = static_cast<std::int64_t>(std::min<std::uint64_t>(limit(), kFartherThanNearest));
        std::replace_if(out_, out_ + n, [=](std::int64_t d) { return d > most; }, kFartherThanNearest);
    }

  private:
    std::size_t wanted_;
    std::vector<std::uint64_t> heap_;
    std::int64_t* out_ = nullptr;
};

// One thread's comparisons of images.
class Comparison {
  public:
    Comparison(const GradientImages& images, const GradientImages& references, const Nearest& nearest)
        : images_(images),
          references_(references),
          shape_{images.height, images.width, nearest.warp},
          image_values_(shape_.padded_size()),
          reference_values_(shape_.padded_size()),
          carried_(shape_.carried_size()),
          forth_(nearest.n_nearest),
          back_(nearest.n_nearest) {}

    // Compares image i with n candidates; `out` has n elements.
    void measure(std::size_t i, const std::int32_t* candidates, std::size_t n, const Distortions& out,
                 const Checkpoint& checkpoint) {
        const DistortionKernels& kernel = *kernels().distortion;
        PaddedGradients image{image_values_.data(), 0, 0};
        PaddedGradients reference{reference_values_.data(), 0, 0};
        const auto found = [&](const PaddedGradients& from, const PaddedGradients& to, std::uint64_t limit) {
            return kernel.distortion(from, to, shape_, carried_.data(), limit);
        };
        kernel.pad(images_.image(i), shape_, &image);
        forth_.begin(out.forth);
        back_.begin(out.back);
        for (std::size_t c = 0; c < n; ++c) {
            checkpoint();  // one pair of large images may take long
            if (c + 1 < n) fetch(gradients_of(candidates[c + 1]));
            kernel.pad(gradients_of(candidates[c]), shape_, &reference);
            forth_.add(c, found(image, reference, forth_.limit()));
            if (out.back) back_.add(c, found(reference, image, back_.limit()));
        }
        forth_.finish(n);
        if (out.back) back_.finish(n);
    }

  private:
    [[nodiscard]] const std::int8_t* gradients_of(std::int32_t candidate) const {
        return references_.image(static_cast<std::size_t>(candidate));
    }

    // Candidates are scattered in memory: without prefetching half of the time was spent waiting for them.
    void fetch(const std::int8_t* gradients) const {
        const std::size_t size = std::min(kGradientPlanes * shape_.height * shape_.width, kMaxFetched);
        for (std::size_t at = 0; at < size; at += kCacheLine) __builtin_prefetch(gradients + at);
    }

    const GradientImages& images_;
    const GradientImages& references_;
    DistortionShape shape_;
    std::vector<std::int8_t> image_values_;
    std::vector<std::int8_t> reference_values_;
    std::vector<std::uint16_t> carried_;
    Ranking forth_;
    Ranking back_;
};

}  // namespace

void distortions(const GradientImages& images, const GradientImages& references,
                 const CandidateLists& candidates, const Nearest& nearest, const Distortions& out,
                 const Parallel& parallel) {
    const std::size_t n = candidates.n_candidates;
    parallel_blocks(images.n_images, kBlock, parallel, [&] {
        return [&, comparison = Comparison(images, references, nearest)](
                   std::size_t first, std::size_t count, const Checkpoint& checkpoint) mutable {
            for (std::size_t i = first; i < first + count; ++i)
                comparison.measure(i, candidates.references + i * n, n,
                                   {out.forth + i * n, out.back ? out.back + i * n : nullptr}, checkpoint);
        };
    });
}

}  // namespace kmosaic
