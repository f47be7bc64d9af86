// Equal rows of few bits merged into one, for Python.
#pragma once

#include <nanobind/nanobind.h>

namespace kmosaic {

void bind_distinct_rows(nanobind::module_& m);

}  // namespace kmosaic
