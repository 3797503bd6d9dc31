// AVX2 with fused multiply-add: the 16 lanes are two registers of eight.
#include <immintrin.h>

#include "arithmetic.hpp"

namespace nlvr {
namespace {

// The first `count` of eight floats (all of them from 8 on, none below 1).
inline __m256i first(std::ptrdiff_t count) {
    const int limit = count < 0 ? 0 : count > 8 ? 8 : static_cast<int>(count);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(limit), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

struct Avx2Lanes {
    // Eight accumulators of two registers each would leave no room for the rows: 2 x 2 x 2 and six for the rows.
    static constexpr int kQueries = 2;
    static constexpr int kTracks = 2;
    static constexpr int kSingle = 4;
    static constexpr int kChannels = 4;

    __m256 low, high;

    static Avx2Lanes zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
    static Avx2Lanes load(const float* from) { return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}; }
    static Avx2Lanes load(const float* from, std::size_t count) {
        const auto size = static_cast<std::ptrdiff_t>(count);
        return {_mm256_maskload_ps(from, first(size)), _mm256_maskload_ps(from + 8, first(size - 8))};
    }
    void store(float* to, std::size_t count) const {
        const auto size = static_cast<std::ptrdiff_t>(count);
        _mm256_maskstore_ps(to, first(size), low);
        _mm256_maskstore_ps(to + 8, first(size - 8), high);
    }

    friend Avx2Lanes add(const Avx2Lanes& a, const Avx2Lanes& b) {
        return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
    }
    friend Avx2Lanes multiply_add(const Avx2Lanes& a, const Avx2Lanes& b, const Avx2Lanes& c) {
        return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
    }

    float sum() const {
        const __m256 eight = _mm256_add_ps(low, high);
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    template <int N>
    static void sums(const Avx2Lanes (&all)[N], float* out) {
#pragma GCC unroll 16
        for (int n = 0; n < N; ++n) out[n] = all[n].sum();
    }
};

}  // namespace

namespace avx2 {
constinit const Kernels kKernels = table<Avx2Lanes>();
}
}  // namespace nlvr
