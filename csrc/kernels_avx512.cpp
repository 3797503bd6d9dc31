// AVX-512: the 16 lanes are one register.
#include <immintrin.h>

#include "arithmetic.hpp"

namespace nlvr {
namespace {

inline __mmask16 first(std::size_t count) { return static_cast<__mmask16>((1u << count) - 1u); }

struct Avx512Lanes {
    static constexpr int kQueries = 4;
    static constexpr int kTracks = 4;
    static constexpr int kSingle = 8;
    static constexpr int kChannels = 16;

    __m512 lanes;

    static Avx512Lanes zero() { return {_mm512_setzero_ps()}; }
    static Avx512Lanes load(const float* from) { return {_mm512_loadu_ps(from)}; }
    static Avx512Lanes load(const float* from, std::size_t count) {
        return {_mm512_maskz_loadu_ps(first(count), from)};
    }
    void store(float* to, std::size_t count) const { _mm512_mask_storeu_ps(to, first(count), lanes); }

    friend Avx512Lanes add(Avx512Lanes a, Avx512Lanes b) { return {_mm512_add_ps(a.lanes, b.lanes)}; }
    friend Avx512Lanes multiply_add(Avx512Lanes a, Avx512Lanes b, Avx512Lanes c) {
        return {_mm512_fmadd_ps(a.lanes, b.lanes, c.lanes)};
    }

    float sum() const {
        const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }

    // Each fold halves two sets of lanes into one register: the same additions as sum(), for many sets at once.
    static __m512 fold8(__m512 a, __m512 b) {
        return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xEE));
    }
    static __m512 fold4(__m512 a, __m512 b) {
        return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
    }
    static __m512 fold2(__m512 a, __m512 b) {
        const __m512d x = _mm512_castps_pd(a), y = _mm512_castps_pd(b);
        return _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
    }
    static __m512 fold1(__m512 a, __m512 b) {
        return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
    }

    template <int N>
    static void sums(const Avx512Lanes (&all)[N], float* out) {
        if constexpr (N == 16) {
            // Taken in steps of four, the folds leave the sums in order.
            const auto four = [&](int n) {
                return fold4(fold8(all[n].lanes, all[n + 4].lanes), fold8(all[n + 8].lanes, all[n + 12].lanes));
            };
            _mm512_storeu_ps(out, fold1(fold2(four(0), four(1)), fold2(four(2), four(3))));
        } else {
#pragma GCC unroll 16
            for (int n = 0; n < N; ++n) out[n] = all[n].sum();
        }
    }
};

}  // namespace

namespace avx512 {
constinit const Kernels kKernels = table<Avx512Lanes>();
}
}  // namespace nlvr
