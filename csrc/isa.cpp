#include "isa.hpp"

#include <cstdint>
#include <cstdlib>

#ifdef NLVR_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace nlvr {
namespace {

#ifdef NLVR_AMX
constexpr long kTileData = 18;

bool has_tiles() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    constexpr unsigned kTiles = 13u << 22;  // AMX-BF16, AMX-TILE and AMX-INT8
    constexpr unsigned kBfloats = 1u << 5;  // AVX512-BF16
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & kTiles) != kTiles) return false;
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || (a & kBfloats) == 0) return false;
    constexpr long kAskSupported = 0x1021;
    std::uint64_t supported = 0;
    return syscall(SYS_arch_prctl, kAskSupported, &supported) == 0 && (supported >> kTileData & 1) != 0;
}

// The tiles are so large that Linux saves them only for a process that has asked. It says no where a thread has set
// aside too little memory for its signals.
bool may_use_tiles() {
    constexpr long kAskPermission = 0x1023;
    return syscall(SYS_arch_prctl, kAskPermission, kTileData) == 0;
}
#endif

Isa choose() {
    std::vector<Isa> isas = available_isas();
    const char* wanted = std::getenv("NLVR_ISA");
    if (wanted == nullptr || *wanted == '\0') {
        while (!isas.back().usable()) isas.pop_back();
        return isas.back();
    }
    std::string names;
    for (const Isa& isa : isas) {
        if (isa.name != wanted) {
            names += (names.empty() ? "" : ", ") + isa.name;
        } else if (isa.usable()) {
            return isa;
        }
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
    const bool has_vnni = has_avx512 && __builtin_cpu_supports("avx512vnni");
    if (has_vnni) isas.push_back({"avx512vnni", &avx512vnni::kKernels});
#ifdef NLVR_AMX
    if (has_vnni && has_tiles()) isas.push_back({"amx", &amx::kKernels, may_use_tiles});
#endif
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
