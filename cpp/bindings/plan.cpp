#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <string>
#include <utility>

#include "assign/plan.hpp"
#include "bindings/arrays.hpp"
#include "bindings/parts.hpp"

namespace kmosaic {

using namespace nb::literals;

namespace {

Rows planned(const std::string& dtype, std::pair<std::size_t, std::size_t> shape) {
    for (std::size_t d = 0; d < kDtypes; ++d)
        if (dtype == kDtypeNames[d])
            return {nullptr, static_cast<Dtype>(d), shape.first, shape.second, nullptr};
    throw nb::type_error(kDtypesMessage);
}

}  // namespace

void bind_plan(nb::module_& m) {
    nb::class_<Plan>(m, "Plan", "How rows are assigned, and why.")
        .def_prop_ro(
            "path", [](const Plan& self) { return name_of(self.path); }, "What assigns them.")
        .def_ro("bounds", &Plan::bounds, "Whether bounds are kept from one step to the next.")
        .def_ro("pca_codes", &Plan::pca_codes, "Whether rows have PCA codes.")
        .def_ro("small_labels", &Plan::small_labels, "Whether labels may be stored in a byte each.")
        .def_ro("reason", &Plan::reason, "The numbers that decided it, in words.");
    nb::class_<SeedingPlan>(m, "SeedingPlan", "How candidate seeds are found, and why.")
        .def_ro("quantized", &SeedingPlan::quantized, "Whether by the rows' int8 codes.")
        .def_ro("pca_codes", &SeedingPlan::pca_codes, "Whether by PCA codes before.")
        .def_ro("reason", &SeedingPlan::reason, "The numbers that decided it, in words.");
    nb::class_<MergePlan>(m, "MergePlan", "Whether equal rows are merged, and why.")
        .def_ro("merge", &MergePlan::merge, "Whether to merge them.")
        .def_ro("max_distinct", &MergePlan::max_distinct, "With more distinct rows merging does not pay.")
        .def_ro("reason", &MergePlan::reason, "The numbers that decided it, in words.")
        .def(
            "record_distinct",
            [](MergePlan& self, std::size_t n_distinct) { record_distinct(self, n_distinct); },
            "n_distinct"_a, "Take in how many distinct rows there are.");
    m.def(
        "choose_plan",
        [](const std::string& dtype, std::pair<std::size_t, std::size_t> shape, std::size_t n_clusters,
           std::size_t steps_expected) {
            return choose_plan(planned(dtype, shape), n_clusters, steps_expected);
        },
        "dtype"_a, "shape"_a, "n_clusters"_a, "steps_expected"_a,
        "How rows of this dtype and shape are assigned, before anything is known of their values.");
    m.def(
        "choose_seeding_plan",
        [](const std::string& dtype, std::pair<std::size_t, std::size_t> shape, std::size_t n_seeds) {
            return choose_seeding_plan(planned(dtype, shape), n_seeds);
        },
        "dtype"_a, "shape"_a, "n_seeds"_a, "How candidate seeds of such rows are found.");
    m.def(
        "choose_merge_plan",
        [](const std::string& dtype, std::pair<std::size_t, std::size_t> shape) {
            return choose_merge_plan(planned(dtype, shape));
        },
        "dtype"_a, "shape"_a, "Whether equal rows among unweighted ones of this kind are merged.");
    m.attr("MANY_STEPS") = kManySteps;
}

}  // namespace kmosaic
