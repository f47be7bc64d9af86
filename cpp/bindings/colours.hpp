// Equal rows of few bits merged into one, for Python.
#pragma once

#include <nanobind/nanobind.h>

namespace kmosaic {

void bind_colours(nanobind::module_& m);

}  // namespace kmosaic
