#include "kernels/dispatch.hpp"

#include <atomic>
#include <cstdlib>
#include <iterator>
#include <stdexcept>

namespace kmosaic {

#define KMOSAIC_DECLARE(isa)                   \
    namespace isa {                            \
    extern const ScreenKernels screen_kernels; \
    extern const NarrowKernels narrow_kernels; \
    extern const ColourKernels colour_kernels; \
    extern const ExactKernels exact_kernels;   \
    extern const SumKernels sum_kernels;       \
    }

KMOSAIC_DECLARE(scalar)
#ifdef KMOSAIC_X86
KMOSAIC_DECLARE(sse2)
KMOSAIC_DECLARE(avx2)
KMOSAIC_DECLARE(avx512)
#endif
#ifdef KMOSAIC_X86
namespace avx512vnni {
extern const ByteKernels byte_kernels;
}
#endif
#ifdef KMOSAIC_ARM
KMOSAIC_DECLARE(neon)
#endif
#undef KMOSAIC_DECLARE

namespace {

bool always() {
    return true;
}

#ifdef KMOSAIC_X86
bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

bool has_avx512vnni() {
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}
#endif

// Best first.
const Kernels kTables[] = {
#ifdef KMOSAIC_X86
    {"avx512vnni", has_avx512vnni, &avx512::screen_kernels, &avx512::narrow_kernels, &avx512::colour_kernels,
     &avx512vnni::byte_kernels, &avx512::exact_kernels, &avx512::sum_kernels},
    {"avx512", has_avx512, &avx512::screen_kernels, &avx512::narrow_kernels, &avx512::colour_kernels, nullptr,
     &avx512::exact_kernels, &avx512::sum_kernels},
    {"avx2", has_avx2, &avx2::screen_kernels, &avx2::narrow_kernels, &avx2::colour_kernels, nullptr,
     &avx2::exact_kernels, &avx2::sum_kernels},
    {"sse2", always, &sse2::screen_kernels, &sse2::narrow_kernels, &sse2::colour_kernels, nullptr,
     &sse2::exact_kernels, &sse2::sum_kernels},
#endif
#ifdef KMOSAIC_ARM
    {"neon", always, &neon::screen_kernels, &neon::narrow_kernels, &neon::colour_kernels, nullptr,
     &neon::exact_kernels, &neon::sum_kernels},
#endif
    {"scalar", always, &scalar::screen_kernels, &scalar::narrow_kernels, &scalar::colour_kernels, nullptr,
     &scalar::exact_kernels, &scalar::sum_kernels},
};

std::string names() {
    std::string list;
    for (const Kernels& table : kTables) list += (list.empty() ? "" : ", ") + std::string(table.name);
    return list;
}

const Kernels& named(const std::string& name) {
    for (const Kernels& table : kTables) {
        if (name != table.name) continue;
        if (!table.supported())
            throw std::runtime_error("KMOSAIC_CPU=" + name + ": this processor does not have it");
        return table;
    }
    throw std::runtime_error("KMOSAIC_CPU=" + name + " is not an instruction set of this build; it has " +
                             names());
}

std::string environment() {
    const char* value = std::getenv("KMOSAIC_CPU");
    return value ? value : "";
}

const Kernels& best() {
    for (const Kernels& table : kTables)
        if (table.supported()) return table;
    return kTables[std::size(kTables) - 1];
}

std::atomic<const Kernels*> selected{nullptr};

}  // namespace

void select_kernels(const std::string& name) {
    const std::string wanted = name.empty() ? environment() : name;
    selected = wanted.empty() ? &best() : &named(wanted);
}

const Kernels& kernels() {
    if (!selected) select_kernels("");
    return *selected;
}

std::vector<Variant> kernel_variants() {
    std::vector<Variant> variants;
    for (const Kernels& table : kTables) variants.push_back({table.name, table.supported()});
    return variants;
}

std::string selection_reason() {
    const Kernels& table = kernels();
    if (table.name == environment()) return "named by KMOSAIC_CPU";
    if (&table == &best()) return "the best this processor has";
    return "selected by the program";
}

}  // namespace kmosaic
