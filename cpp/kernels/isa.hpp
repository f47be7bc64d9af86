// The register block of the float32 kernels, per instruction set: it keeps the multiply-add units busy
// without spilling (accumulators = kRowGroup x kPanelGroup x 16 / lanes).
#pragma once

#include <cstddef>

#ifndef KMOSAIC_ISA
#error "KMOSAIC_ISA names the namespace of the instruction set; CMakeLists.txt defines it for each object"
#endif

namespace kmosaic::KMOSAIC_ISA {

#if KMOSAIC_LANES == 16  // AVX-512: 32 registers, 24 accumulators
constexpr std::size_t kRowGroup = 8;
constexpr std::size_t kPanelGroup = 3;
#elif KMOSAIC_LANES == 8                          // AVX2: 16 registers, 12 accumulators
constexpr std::size_t kRowGroup = 6;
constexpr std::size_t kPanelGroup = 1;
#elif KMOSAIC_LANES == 4 && defined(KMOSAIC_ARM)  // NEON: 32 registers, 24 accumulators
constexpr std::size_t kRowGroup = 6;
constexpr std::size_t kPanelGroup = 1;
#elif KMOSAIC_LANES == 4                          // SSE2: 16 registers, 12 accumulators
constexpr std::size_t kRowGroup = 3;
constexpr std::size_t kPanelGroup = 1;
#else                                             // scalar: the compiler's own
constexpr std::size_t kRowGroup = 2;
constexpr std::size_t kPanelGroup = 1;
#endif

}  // namespace kmosaic::KMOSAIC_ISA
