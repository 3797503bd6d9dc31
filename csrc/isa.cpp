#include "isa.hpp"

#include <cstdlib>

namespace nlvr {
namespace {

Isa choose() {
    std::vector<Isa> isas = available_isas();
    const char* wanted = std::getenv("NLVR_ISA");
    if (wanted == nullptr || *wanted == '\0') return isas.back();
    std::string names;
    for (const Isa& isa : isas) {
        if (isa.name == wanted) return isa;
        names += (names.empty() ? "" : ", ") + isa.name;
    }
    throw IsaUnavailableError("NLVR_ISA=" + std::string(wanted) + " was asked for, but this machine runs " + names +
                              "; name one of these, or unset NLVR_ISA to use the fastest");
}

}  // namespace

std::vector<Isa> available_isas() {
    std::vector<Isa> isas{{"scalar", &scalar::kKernels}};
#ifdef NLVR_X86_64
    // These ask the CPU and the operating system (XGETBV), which must save the wide registers.
    __builtin_cpu_init();
    const bool has_avx2 =
        __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
    const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (has_avx2) isas.push_back({"avx2", &avx2::kKernels});
    if (has_avx512) isas.push_back({"avx512", &avx512::kKernels});
    if (has_avx512 && __builtin_cpu_supports("avx512vnni")) isas.push_back({"avx512vnni", &avx512vnni::kKernels});
#endif
#ifdef NLVR_AARCH64
    isas.push_back({"neon", &neon::kKernels});
#endif
    return isas;
}

const Isa& chosen_isa() {
    static const Isa isa = choose();
    return isa;
}

}  // namespace nlvr
