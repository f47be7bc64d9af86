// How far images are from being distortions of others: the image distortion model, pair by pair.
//
// D. Keysers, T. Deselaers, C. Gollan, H. Ney (2007), "Deformation models for image recognition", IEEE PAMI 29(8),
// section 3: every pixel of the image, its gradients and those around it, is compared with the pixel of the
// reference that is most like it and at most `warp` away; neighbouring pixels may go different ways.
#pragma once

#include "kernels/kernels.hpp"
#include "kmeans/parallel.hpp"

namespace kmosaic {

constexpr std::size_t kMostWarp = 16;

// Gradients [image][plane][row][column], in -kLargestGradient .. kLargestGradient.
struct GradientImages {
    const std::int8_t* data;
    std::size_t n_images;
    std::size_t height;
    std::size_t width;

    [[nodiscard]] const std::int8_t* image(std::size_t i) const {
        return data + i * kGradientPlanes * height * width;
    }
};

// Which references each image is compared with.
struct CandidateLists {
    const std::int32_t* references;
    std::size_t n_candidates;
};

// out[i * n_candidates + c] is the distortion of image i against its candidate c.
void distortions(const GradientImages& images, const GradientImages& references,
                 const CandidateLists& candidates, std::size_t warp, std::int64_t* out,
                 const Parallel& parallel);

}  // namespace kmosaic
