// Nearest rows, and distances between images, for Python.
#pragma once

#include <nanobind/nanobind.h>

namespace kmosaic {

void bind_neighbours(nanobind::module_& m);

}  // namespace kmosaic
