// What this machine can do at most: float32 fused multiply-adds in registers, and reads of memory. Built by ceilings.py
// for this very CPU; the caller's threads run both at once.
#include <cstddef>

// As wide as a register: GCC takes a wider vector apart through memory, and measures that.
#if defined(__AVX512F__)
constexpr std::size_t kBytes = 64;
#elif defined(__AVX__)
constexpr std::size_t kBytes = 32;
#else
constexpr std::size_t kBytes = 16;
#endif
typedef float Lanes __attribute__((vector_size(kBytes), aligned(4)));

namespace {
constexpr int kChains = 12;  // independent ones hide the latency
constexpr std::size_t kLanes = kBytes / sizeof(float);
}  // namespace

// How many multiplications and additions a step of multiply_add is.
extern "C" std::size_t step_size() { return kChains * kLanes; }

// Multiplies and adds `steps` times in each lane of 12 chains.
extern "C" float multiply_add(std::size_t steps) {
    Lanes chains[kChains];
    for (int c = 0; c < kChains; ++c) chains[c] = Lanes{} + static_cast<float>(c);
    const Lanes factor = Lanes{} + 0.999f;
    for (std::size_t i = 0; i < steps; ++i) {
#pragma GCC unroll 16
        for (int c = 0; c < kChains; ++c) chains[c] = chains[c] * factor + factor;
    }
    Lanes sum{};
    for (const Lanes& chain : chains) sum += chain;
    return sum[0];
}

// Reads all of `size` floats, a multiple of 64.
extern "C" float read(const float* from, std::size_t size) {
    Lanes sums[4] = {};
    for (std::size_t i = 0; i < size; i += 4 * kLanes) {
#pragma GCC unroll 4
        for (std::size_t c = 0; c < 4; ++c) sums[c] += *reinterpret_cast<const Lanes*>(from + i + kLanes * c);
    }
    return (sums[0] + sums[1] + sums[2] + sums[3])[0];
}
