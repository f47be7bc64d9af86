#include "images/distortions.hpp"

#include <algorithm>
#include <vector>

#include "kernels/dispatch.hpp"

namespace kmosaic {

namespace {

// Images of a task: a few milliseconds where images are small and have 50 candidates.
constexpr std::size_t kBlock = 32;

}  // namespace

void distortions(const GradientImages& images, const GradientImages& references,
                 const CandidateLists& candidates, std::size_t warp, std::int64_t* out,
                 const Parallel& parallel) {
    const DistortionShape shape{images.height, images.width, warp};
    const DistortionKernels& kernel = *kernels().distortion;
    parallel_for((images.n_images + kBlock - 1) / kBlock, parallel, [&] {
        return [&, image = std::vector<std::uint16_t>(shape.padded_size()),
                reference = std::vector<std::uint16_t>(shape.padded_size()),
                work = std::vector<std::uint16_t>(shape.work_size())](std::size_t block,
                                                                      const Checkpoint& checkpoint) mutable {
            const std::size_t end = std::min((block + 1) * kBlock, images.n_images);
            for (std::size_t i = block * kBlock; i < end; ++i) {
                kernel.pad(images.image(i), shape, image.data());
                for (std::size_t c = 0; c < candidates.n_candidates; ++c) {
                    const std::size_t pair = i * candidates.n_candidates + c;
                    const auto other = static_cast<std::size_t>(candidates.references[pair]);
                    checkpoint();  // one pair of large images may take long
                    kernel.pad(references.image(other), shape, reference.data());
                    out[pair] = static_cast<std::int64_t>(
                        kernel.distortion(image.data(), reference.data(), shape, work.data()));
                }
            }
        };
    });
}

}  // namespace kmosaic
