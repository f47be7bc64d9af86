#include "kernels/dispatch.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <stdexcept>

#ifdef KMOSAIC_X86
#include <cpuid.h>
#elif defined(KMOSAIC_ARM) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(KMOSAIC_ARM) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace kmosaic {

#define KMOSAIC_DECLARE_BYTES(isa)         \
    namespace isa {                        \
    extern const ByteKernels byte_kernels; \
    }

#define KMOSAIC_DECLARE(isa)                              \
    namespace isa {                                       \
    extern const Float32Kernels float32_kernels;          \
    extern const LaneKernels lane_kernels;                \
    extern const ListedKernels listed_kernels;            \
    extern const DistinctRowKernels distinct_row_kernels; \
    extern const ExactKernels exact_kernels;              \
    extern const SumKernels sum_kernels;                  \
    extern const DistortionKernels distortion_kernels;    \
    extern const BoundKernels bound_kernels;              \
    extern const BoxKernels box_kernels;                  \
    }                                                     \
    KMOSAIC_DECLARE_BYTES(isa)

#define KMOSAIC_DECLARE_INT16(isa)           \
    namespace isa {                          \
    extern const Int16Kernels int16_kernels; \
    }

KMOSAIC_DECLARE(scalar)
#ifdef KMOSAIC_X86
KMOSAIC_DECLARE(sse2)
KMOSAIC_DECLARE(avx2)
KMOSAIC_DECLARE_BYTES(avxvnni)
KMOSAIC_DECLARE(avx512)
KMOSAIC_DECLARE_INT16(avx512)
KMOSAIC_DECLARE_BYTES(avx512vnni)
KMOSAIC_DECLARE_INT16(avx512vnni)
#endif
#ifdef KMOSAIC_ARM
KMOSAIC_DECLARE(neon)
KMOSAIC_DECLARE_BYTES(neondot)
KMOSAIC_DECLARE_BYTES(neonmm)
#endif
#undef KMOSAIC_DECLARE
#undef KMOSAIC_DECLARE_BYTES
#undef KMOSAIC_DECLARE_INT16

namespace {

bool always() {
    return true;
}

#ifdef KMOSAIC_X86
// Asked of the processor itself: zig's __builtin_cpu_supports knows none of these, others not all.
struct Cpuid {
    Cpuid(unsigned leaf, unsigned subleaf) { __get_cpuid_count(leaf, subleaf, &eax, &ebx, &ecx, &edx); }

    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
};

constexpr bool has_all(unsigned word, std::initializer_list<unsigned> bits) {
    return std::all_of(bits.begin(), bits.end(), [&](unsigned bit) { return word >> bit & 1U; });
}

// Whether the system keeps these parts of the registers when it switches threads: the bits of XCR0.
bool system_keeps(unsigned parts) {
    unsigned low = 0;
    unsigned high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & parts) == parts;
}

constexpr unsigned kAvxRegisters = 0x06;
#ifdef __APPLE__
constexpr unsigned kAvx512Registers = kAvxRegisters;  // macOS keeps the rest from their first use on
#else
constexpr unsigned kAvx512Registers = 0xe6;
#endif

bool has_avx2() {
    const bool has_avx = has_all(Cpuid(1, 0).ecx, {12, 27, 28, 29});  // FMA, OSXSAVE, AVX, F16C
    return has_avx && system_keeps(kAvxRegisters) && has_all(Cpuid(7, 0).ebx, {5});
}

bool has_avx512() {
    return has_avx2() && system_keeps(kAvx512Registers) &&
           has_all(Cpuid(7, 0).ebx, {16, 17, 30, 31});  // F, DQ, BW, VL
}

bool has_avx512vnni() {
    return has_avx512() && has_all(Cpuid(7, 0).ecx, {11});
}

bool has_avxvnni() {
    return has_avx2() && has_all(Cpuid(7, 1).eax, {4});
}
#endif

#ifdef KMOSAIC_ARM
#ifdef __linux__
bool has_neondot() {
    return getauxval(AT_HWCAP) >> 20 & 1U;  // HWCAP_ASIMDDP
}

bool has_neonmm() {
    return has_neondot() && (getauxval(AT_HWCAP2) >> 13 & 1U);  // HWCAP2_I8MM
}
#elif defined(__APPLE__)
bool has_feature(const char* name) {
    int has = 0;
    std::size_t size = sizeof has;
    return sysctlbyname(name, &has, &size, nullptr, 0) == 0 && has;
}

bool has_neondot() {
    return has_feature("hw.optional.arm.FEAT_DotProd");
}

bool has_neonmm() {
    return has_feature("hw.optional.arm.FEAT_I8MM");
}
#else
bool has_neondot() {
    return false;
}

bool has_neonmm() {
    return false;
}
#endif
#endif

// Integer dot products have instruction sets of their own; all else is `isa`'s.
#define KMOSAIC_TABLE(name, supported, isa, int16) \
    {#name,                                        \
     supported,                                    \
     &isa::float32_kernels,                        \
     &isa::lane_kernels,                           \
     &isa::listed_kernels,                         \
     int16,                                        \
     &isa::distinct_row_kernels,                   \
     &name::byte_kernels,                          \
     &isa::bound_kernels,                          \
     &isa::box_kernels,                            \
     &isa::exact_kernels,                          \
     &isa::sum_kernels,                            \
     &isa::distortion_kernels}

// Best first.
const Kernels kTables[] = {
#ifdef KMOSAIC_X86
    KMOSAIC_TABLE(avx512vnni, has_avx512vnni, avx512, &avx512vnni::int16_kernels),
    KMOSAIC_TABLE(avx512, has_avx512, avx512, &avx512::int16_kernels),
    KMOSAIC_TABLE(avxvnni, has_avxvnni, avx2, nullptr),
    KMOSAIC_TABLE(avx2, has_avx2, avx2, nullptr),
    KMOSAIC_TABLE(sse2, always, sse2, nullptr),
#endif
#ifdef KMOSAIC_ARM
    KMOSAIC_TABLE(neonmm, has_neonmm, neon, nullptr),
    KMOSAIC_TABLE(neondot, has_neondot, neon, nullptr),
    KMOSAIC_TABLE(neon, always, neon, nullptr),
#endif
    KMOSAIC_TABLE(scalar, always, scalar, nullptr),
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
