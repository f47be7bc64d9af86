// The planner, for Python to ask and to show.
#pragma once

#include <nanobind/nanobind.h>

namespace kmosaic {

void bind_plan(nanobind::module_& m);

}  // namespace kmosaic
