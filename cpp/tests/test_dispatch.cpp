// Which instruction set runs: forced by name or by KMOSAIC_CPU, the best otherwise, and one clear error for
// the rest.
#include <cstdlib>
#include <stdexcept>

#include "check.hpp"
#include "samples.hpp"

namespace kmosaic::testing {
namespace {

TEST(every_supported_variant_can_be_forced_and_says_so) {
    unsetenv("KMOSAIC_CPU");
    for (const Variant& variant : kernel_variants()) {
        context() = variant.name;
        const std::string message = message_of<std::runtime_error>([&] { select_kernels(variant.name); });
        CHECK(message.empty() == variant.supported);
        if (variant.supported) CHECK(kernels().name == variant.name);
    }
}

TEST(the_environment_names_the_variant) {
    for (const std::string& name : supported_variants()) {
        context() = name;
        setenv("KMOSAIC_CPU", name.c_str(), 1);
        select_kernels("");
        CHECK(kernels().name == name);
        CHECK(selection_reason() == "named by KMOSAIC_CPU");
    }
    unsetenv("KMOSAIC_CPU");
}

TEST(the_best_supported_variant_is_the_default_and_scalar_is_always_there) {
    unsetenv("KMOSAIC_CPU");
    select_kernels("");
    CHECK(kernels().name == supported_variants().front());
    CHECK(selection_reason() == "the best this processor has");
    CHECK(supported_variants().back() == "scalar");
    // The choice that an emulated processor must make (make cross).
    if (const char* best = std::getenv("KMOSAIC_BEST")) CHECK(kernels().name == std::string(best));
}

TEST(an_unknown_name_is_an_error_that_lists_the_variants_and_changes_nothing) {
    select_kernels("scalar");
    const std::string message = message_of<std::runtime_error>([] { select_kernels("mmx"); });
    CHECK(message.find("mmx") != std::string::npos);
    for (const Variant& variant : kernel_variants()) CHECK(message.find(variant.name) != std::string::npos);
    CHECK(std::string(kernels().name) == "scalar");
}

}  // namespace
}  // namespace kmosaic::testing

TEST_MAIN
