// AVX2 with fused multiply-add: the 16 lanes are two registers of eight.
#include <immintrin.h>

#include "turned.hpp"

namespace nlvr {
namespace {

// The first `count` of eight floats (all of them from 8 on, none below 1).
inline __m256i first(std::ptrdiff_t count) {
    const int limit = count < 0 ? 0 : count > 8 ? 8 : static_cast<int>(count);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(limit), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

// Sixteen numbers of one or two bytes each, those from `count` on 0: there are no masked loads of so small ones.
template <class T>
class Sixteen {
   public:
    Sixteen(const T* from, std::size_t count) : from_(from) {
        if (count >= kLanes) return;
        for (std::size_t i = 0; i < count; ++i) some_[i] = from[i];
        from_ = some_;
    }
    __m128i half(int n) const { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from_) + n); }

   private:
    const T* from_;
    T some_[kLanes] = {};
};

// Inner products in eight of the lanes.
template <int P>
struct Avx2Half {
    using Element = float;
    using Sum = __m256;
    static constexpr std::size_t kStep = kLanes;

    static __m256 zero() { return _mm256_setzero_ps(); }
    static __m256 query(const float* from) { return _mm256_loadu_ps(from + 8 * P); }
    static __m256 query(const float* from, std::size_t count) {
        return _mm256_maskload_ps(from + 8 * P, first(static_cast<std::ptrdiff_t>(count) - 8 * P));
    }
    static __m256 track(const float* from) { return query(from); }
    static __m256 track(const float* from, std::size_t count) { return query(from, count); }
    static __m256 add_product(__m256 query, __m256 track, __m256 sum) { return _mm256_fmadd_ps(query, track, sum); }
};

// Columns of eight rows of eight numbers.
inline void transpose(__m256 (&rows)[8]) {
    __m256 pairs[8], fours[8];
    unrolled<4>([&](auto n) {
        pairs[2 * n] = _mm256_unpacklo_ps(rows[2 * n], rows[2 * n + 1]);
        pairs[2 * n + 1] = _mm256_unpackhi_ps(rows[2 * n], rows[2 * n + 1]);
    });
    unrolled<2>([&](auto n) {
        unrolled<2>([&](auto half) {
            fours[4 * n + 2 * half] = _mm256_shuffle_ps(pairs[4 * n + half], pairs[4 * n + 2 + half], 0x44);
            fours[4 * n + 2 * half + 1] = _mm256_shuffle_ps(pairs[4 * n + half], pairs[4 * n + 2 + half], 0xEE);
        });
    });
    // fours[4 * n + c] holds columns c and c + 4 of rows 4 * n to 4 * n + 3.
    unrolled<4>([&](auto c) {
        rows[c] = _mm256_permute2f128_ps(fours[c], fours[4 + c], 0x20);
        rows[c + 4] = _mm256_permute2f128_ps(fours[c], fours[4 + c], 0x31);
    });
}

struct Avx2Lanes {
    // Of sixteen registers twelve hold sums of half the lanes, three a track each, and one a query. With all the lanes
    // at once it would be four scores, and 1.7 times the loads for each.
    template <int P>
    using Part = Avx2Half<P>;
    static constexpr int kParts = 2;
    static constexpr int kQueries = 4;
    static constexpr int kTracks = 3;
    static constexpr int kTurnedQueries = 6;
    static constexpr int kTurnedGroups = 1;
    static constexpr int kChannels = 4;

    __m256 low, high;

    template <int P>
    void put(__m256 half) {
        (P == 0 ? low : high) = half;
    }

    static Avx2Lanes set(float value) { return {_mm256_set1_ps(value), _mm256_set1_ps(value)}; }
    static Avx2Lanes zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
    static Avx2Lanes load(const float* from) { return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)}; }
    static Avx2Lanes load(const float* from, std::size_t count) {
        const auto size = static_cast<std::ptrdiff_t>(count);
        return {_mm256_maskload_ps(from, first(size)), _mm256_maskload_ps(from + 8, first(size - 8))};
    }
    static Avx2Lanes load(const Float16* from, std::size_t count) {
        const Sixteen<Float16> all(from, count);
        return {_mm256_cvtph_ps(all.half(0)), _mm256_cvtph_ps(all.half(1))};
    }
    static Avx2Lanes load(const Bfloat16* from, std::size_t count) {
        const Sixteen<Bfloat16> all(from, count);
        const auto wide = [&](int half) {
            return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(all.half(half)), 16));
        };
        return {wide(0), wide(1)};
    }
    static Avx2Lanes load(const std::int32_t* from, std::size_t count) {
        const auto size = static_cast<std::ptrdiff_t>(count);
        return {_mm256_cvtepi32_ps(_mm256_maskload_epi32(from, first(size))),
                _mm256_cvtepi32_ps(_mm256_maskload_epi32(from + 8, first(size - 8)))};
    }
    static Avx2Lanes load(const std::int8_t* from, std::size_t count) {
        const __m128i all = Sixteen<std::int8_t>(from, count).half(0);
        return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(all)),
                _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(all, 8)))};
    }
    void store(float* to, std::size_t count) const {
        const auto size = static_cast<std::ptrdiff_t>(count);
        _mm256_maskstore_ps(to, first(size), low);
        _mm256_maskstore_ps(to + 8, first(size - 8), high);
    }

    friend Avx2Lanes add(const Avx2Lanes& a, const Avx2Lanes& b) {
        return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
    }
    friend Avx2Lanes multiply(const Avx2Lanes& a, const Avx2Lanes& b) {
        return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
    }
    friend Avx2Lanes multiply_add(const Avx2Lanes& a, const Avx2Lanes& b, const Avx2Lanes& c) {
        return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
    }

    friend Avx2Lanes larger_magnitude(const Avx2Lanes& magnitude, const Avx2Lanes& b) {
        const __m256 sign = _mm256_set1_ps(-0.0f);
        return {_mm256_max_ps(magnitude.low, _mm256_andnot_ps(sign, b.low)),
                _mm256_max_ps(magnitude.high, _mm256_andnot_ps(sign, b.high))};
    }
    float largest() const {
        const __m256 eight = _mm256_max_ps(low, high);
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }
    std::uint32_t above(float floor) const {
        const auto bits = [&](__m256 half) {
            return static_cast<std::uint32_t>(
                _mm256_movemask_ps(_mm256_cmp_ps(half, _mm256_set1_ps(floor), _CMP_NLE_UQ)));
        };
        return bits(low) | bits(high) << 8;
    }
    void round(std::int8_t* to, std::size_t count) const {
        const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(low), _mm256_cvtps_epi32(high));
        const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
        const __m128i codes = _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
        std::int8_t all[kLanes];
        _mm_storeu_si128(reinterpret_cast<__m128i*>(all), codes);
        for (std::size_t i = 0; i < count; ++i) to[i] = all[i];
    }

    static void transpose(Avx2Lanes (&rows)[kLanes]) {
        __m256 low[2][8], high[2][8];
        for (int eight = 0; eight < 2; ++eight) {
            unrolled<8>([&](auto n) {
                low[eight][n] = rows[8 * eight + n].low;
                high[eight][n] = rows[8 * eight + n].high;
            });
            nlvr::transpose(low[eight]);
            nlvr::transpose(high[eight]);
        }
        unrolled<8>([&](auto n) {
            rows[n] = {low[0][n], low[1][n]};
            rows[8 + n] = {high[0][n], high[1][n]};
        });
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

struct Avx2Products {
    using Element = std::int8_t;
    using Result = std::int32_t;
    using Sum = __m256i;
    static constexpr std::size_t kStep = kLanes;
    static constexpr int kQueries = 2, kTracks = 4, kParts = 1;
    static constexpr bool kCheap = false;  // as many instructions as of floats, and the codes to make

    static __m256i zero() { return _mm256_setzero_si256(); }
    static __m256i query(const std::int8_t* from, std::size_t count = kStep) {
        return _mm256_cvtepi8_epi16(Sixteen<std::int8_t>(from, count).half(0));
    }
    static __m256i track(const std::int8_t* from, std::size_t count = kStep) { return query(from, count); }
    static __m256i add_product(__m256i query, __m256i track, __m256i sum) {
        return _mm256_add_epi32(sum, _mm256_madd_epi16(query, track));
    }
    static std::int32_t offset(const std::int8_t* /*query*/, std::size_t /*dims*/) { return 0; }
    template <int N>
    static void sums(const __m256i (&all)[N], std::int32_t* out) {
#pragma GCC unroll 16
        for (int n = 0; n < N; ++n) {
            __m128i four = _mm_add_epi32(_mm256_castsi256_si128(all[n]), _mm256_extracti128_si256(all[n], 1));
            four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
            out[n] = _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
        }
    }
};

}  // namespace

namespace avx2 {
constinit const Kernels kKernels = table<Avx2Lanes, Avx2Products>(turned_scores<Avx2Lanes>);
}
}  // namespace nlvr
