#include "subnormals.hpp"

#include <cstdint>

#ifdef NLVR_X86_64
#include <xmmintrin.h>
#endif

namespace nlvr {

void flush_subnormals() noexcept {
#if defined(NLVR_X86_64)
    constexpr unsigned results = 0x8000, inputs = 0x0040;  // FTZ and DAZ of MXCSR
    _mm_setcsr(_mm_getcsr() | results | inputs);
#elif defined(NLVR_AARCH64)
    constexpr std::uint64_t both = std::uint64_t{1} << 24;  // FZ of FPCR
    std::uint64_t control = 0;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    asm volatile("msr fpcr, %0" : : "r"(control | both));
#endif
}

}  // namespace nlvr
