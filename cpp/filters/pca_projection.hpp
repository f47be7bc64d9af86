// The directions in which rows differ most, found on a sample by orthogonal iteration.
#pragma once

#include "filters/pca_codes.hpp"

namespace kmosaic {

// The projection for these rows. It has no panels if more than `max_outside_share` of their squares is
// outside or if they have too few directions. Orthogonal iteration: Golub and Van Loan (2013), Matrix
// Computations, 4th ed., section 8.2.4.
PcaProjection make_pca_projection(const QuantizedRows& codes, const std::vector<std::uint8_t>& mean,
                                  double max_outside_share, const Kernels& table, const Parallel& parallel);

}  // namespace kmosaic
