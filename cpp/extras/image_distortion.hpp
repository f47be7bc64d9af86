// The image distortion model: how far an image is from being a distortion of another, pair by pair.
//
// D. Keysers, T. Deselaers, C. Gollan, H. Ney (2007), "Deformation models for image recognition", IEEE PAMI
// 29(8), section 3: every pixel of the image, its gradients and those around it, is compared with the pixel
// of the reference that is most like it and at most `warp` away; neighbouring pixels may go different ways.
#pragma once

#include <cstdint>

#include "core/parallel.hpp"
#include "kernels/kernels.hpp"

namespace kmosaic {

constexpr std::size_t kMaxWarp = 16;

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

// How far pixels may move, and how many of each image's candidates, the nearest, need exact distortions.
struct Nearest {
    std::size_t warp;
    std::size_t n_nearest = SIZE_MAX;
};

constexpr std::int64_t kFartherThanNearest = INT64_MAX;

// Outputs for each pair (n_images x n_candidates): the distortion of the image against the candidate and,
// unless `back` is null, of the candidate against the image. A distortion above the n_nearest-th least of the
// image's is kFartherThanNearest.
struct Distortions {
    std::int64_t* forth;
    std::int64_t* back = nullptr;
};

// The nearest candidates should come first: a candidate is measured only until it is farther than the
// n_nearest before it.
void distortions(const GradientImages& images, const GradientImages& references,
                 const CandidateLists& candidates, const Nearest& nearest, const Distortions& out,
                 const Parallel& parallel);

}  // namespace kmosaic
