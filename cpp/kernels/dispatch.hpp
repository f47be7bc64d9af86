// Which instruction set runs: the best one this processor has, or the one KMOSAIC_CPU names.
#pragma once

#include <string>
#include <vector>

#include "kernels/kernels.hpp"

namespace kmosaic {

// The table in use. Throws std::runtime_error where KMOSAIC_CPU names an unknown or unsupported set.
const Kernels& kernels();

// Use the named instruction set from now on; an empty name means KMOSAIC_CPU's, or the best.
void select_kernels(const std::string& name);

struct Variant {
    std::string name;
    bool supported;
};

// The instruction sets of this build, the best first.
std::vector<Variant> kernel_variants();

// One sentence: why the table in use is the one in use.
std::string selection_reason();

}  // namespace kmosaic
