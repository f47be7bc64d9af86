// The directions in which rows differ most, found on a sample by orthogonal iteration.
#pragma once

#include "filters/pca_codes.hpp"

namespace kmosaic {

// The projection for these rows, or an empty one where it would not pay. Orthogonal iteration: Golub and Van
// Loan (2013), Matrix Computations, 4th ed., section 8.2.4.
PcaProjection make_pca_projection(const QuantizedRows& codes, const std::vector<std::uint8_t>& mean,
                                  const Kernels& table, const Parallel& parallel);

}  // namespace kmosaic
