// AVX-512: the 16 lanes are one register. Included by kernels_avx512.cpp, kernels_avx512vnni.cpp and kernels_amx.cpp
// alone.
#pragma once

#include <immintrin.h>

#include "turned.hpp"

namespace nlvr {
namespace {

inline __mmask16 first(std::size_t count) { return static_cast<__mmask16>((1u << count) - 1u); }

struct FloatSum {
    static __m512 add(__m512 a, __m512 b) { return _mm512_add_ps(a, b); }
};
struct IntegerSum {
    static __m512 add(__m512 a, __m512 b) {
        return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
    }
};

// The one tree. Each step halves two registers into one, so that many sums take few additions; the lanes that stay
// where they are need no shuffle, and the order of two addends changes no bit.
template <class Sum>
struct Fold {
    static __m512 to8(__m512 a, __m512 b) {
        return Sum::add(_mm512_mask_blend_ps(0xFF00, a, b), _mm512_shuffle_f32x4(a, b, 0x4E));
    }
    static __m512 to4(__m512 a, __m512 b) {
        const __m512i moved = _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
        return Sum::add(_mm512_mask_blend_ps(0xF0F0, a, b), _mm512_permutex2var_ps(a, moved, b));
    }
    static __m512 to2(__m512 a, __m512 b) {
        return Sum::add(_mm512_mask_blend_ps(0xCCCC, a, b), _mm512_shuffle_ps(a, b, 0x4E));
    }
    static __m512 to1(__m512 a, __m512 b) {
        return Sum::add(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xDD));
    }

    // The sums of 16, 8, 4 or 1 registers, in order in the first lanes.
    template <int N, class Register>
    static __m512 all(const Register& at) {
        constexpr int kStep = N / 4;
        const auto four = [&](int n) {
            return to4(to8(at(n), at(n + 2 * kStep)), to8(at(n + kStep), at(n + 3 * kStep)));
        };
        if constexpr (N == 16) {
            return to1(to2(four(0), four(1)), to2(four(2), four(3)));
        } else {
            const __m512 two = to2(four(0), four(kStep / 2));
            return _mm512_maskz_compress_ps(N == 8 ? 0x3333 : 0x1111, to1(two, two));
        }
    }
};

// Columns of sixteen rows of sixteen numbers, four bytes each.
inline void transpose(__m512i (&rows)[16]) {
    __m512i pairs[16], fours[16];
    unrolled<8>([&](auto n) {
        pairs[2 * n] = _mm512_unpacklo_epi32(rows[2 * n], rows[2 * n + 1]);
        pairs[2 * n + 1] = _mm512_unpackhi_epi32(rows[2 * n], rows[2 * n + 1]);
    });
    unrolled<4>([&](auto n) {
        unrolled<2>([&](auto half) {
            fours[4 * n + 2 * half] = _mm512_unpacklo_epi64(pairs[4 * n + half], pairs[4 * n + 2 + half]);
            fours[4 * n + 2 * half + 1] = _mm512_unpackhi_epi64(pairs[4 * n + half], pairs[4 * n + 2 + half]);
        });
    });
    // fours[4 * n + c] holds columns c, c + 4, c + 8 and c + 12 of rows 4 * n to 4 * n + 3.
    unrolled<4>([&](auto c) {
        const __m512i even_low = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0x88),
                      odd_low = _mm512_shuffle_i32x4(fours[c], fours[4 + c], 0xDD),
                      even_high = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0x88),
                      odd_high = _mm512_shuffle_i32x4(fours[8 + c], fours[12 + c], 0xDD);
        rows[c] = _mm512_shuffle_i32x4(even_low, even_high, 0x88);
        rows[c + 8] = _mm512_shuffle_i32x4(even_low, even_high, 0xDD);
        rows[c + 4] = _mm512_shuffle_i32x4(odd_low, odd_high, 0x88);
        rows[c + 12] = _mm512_shuffle_i32x4(odd_low, odd_high, 0xDD);
    });
}

struct Avx512Lanes {
    static constexpr int kParts = 1;
    static constexpr int kQueries = 4;
    static constexpr int kTracks = 4;
    static constexpr int kTurnedQueries = 8;
    static constexpr int kTurnedGroups = 3;
    static constexpr int kChannels = 16;

    __m512 lanes;

    static Avx512Lanes zero() { return {_mm512_setzero_ps()}; }
    static Avx512Lanes set(float value) { return {_mm512_set1_ps(value)}; }
    static Avx512Lanes load(const float* from) { return {_mm512_loadu_ps(from)}; }
    static Avx512Lanes load(const float* from, std::size_t count) {
        return {_mm512_maskz_loadu_ps(first(count), from)};
    }
    static Avx512Lanes load(const Float16* from, std::size_t count) {
        return {_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(count), from))};
    }
    static Avx512Lanes load(const Bfloat16* from, std::size_t count) {
        const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(first(count), from));
        return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
    }
    static Avx512Lanes load(const std::int32_t* from, std::size_t count) {
        return {_mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(first(count), from))};
    }
    static Avx512Lanes load(const std::int8_t* from, std::size_t count) {
        return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(first(count), from)))};
    }
    void store(float* to, std::size_t count) const { _mm512_mask_storeu_ps(to, first(count), lanes); }
    static void round(const Avx512Lanes (&four)[4], std::int8_t* to) {
        const auto whole = [&](int n) { return _mm512_cvtps_epi32(four[n].lanes); };
        const __m512i low = _mm512_packs_epi32(whole(0), whole(1)), high = _mm512_packs_epi32(whole(2), whole(3));
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        _mm512_storeu_si512(to, _mm512_permutexvar_epi32(order, _mm512_packs_epi16(low, high)));
    }
    void round(std::int8_t* to, std::size_t count) const {
        _mm512_mask_cvtepi32_storeu_epi8(to, first(count), _mm512_cvtps_epi32(lanes));
    }

    friend Avx512Lanes add(Avx512Lanes a, Avx512Lanes b) { return {_mm512_add_ps(a.lanes, b.lanes)}; }
    friend Avx512Lanes multiply(Avx512Lanes a, Avx512Lanes b) { return {_mm512_mul_ps(a.lanes, b.lanes)}; }
    friend Avx512Lanes multiply_add(Avx512Lanes a, Avx512Lanes b, Avx512Lanes c) {
        return {_mm512_fmadd_ps(a.lanes, b.lanes, c.lanes)};
    }
    friend Avx512Lanes larger_magnitude(Avx512Lanes magnitude, Avx512Lanes b) {
        return {_mm512_max_ps(magnitude.lanes, _mm512_abs_ps(b.lanes))};
    }
    float largest() const { return _mm512_reduce_max_ps(lanes); }
    std::uint32_t above(float floor) const { return _mm512_cmp_ps_mask(lanes, _mm512_set1_ps(floor), _CMP_NLE_UQ); }

    std::size_t candidates(const std::uint32_t* rows, std::uint32_t bits, Candidate* out) const {
        const auto chosen = static_cast<__mmask16>(bits);
        const __m512i number = _mm512_mask_mov_epi32(
            _mm512_castps_si512(lanes), _mm512_cmp_ps_mask(lanes, lanes, _CMP_UNORD_Q), _mm512_set1_epi32(kNotANumber));
        // Of what is not negative, all bits but the sign are turned over.
        const __m512i descending =
            _mm512_mask_xor_epi32(number, _mm512_knot(_mm512_movepi32_mask(number)), number, _mm512_set1_epi32(~kSign));
        const __m512i scores = _mm512_maskz_compress_epi32(chosen, descending),
                      places = _mm512_maskz_compress_epi32(chosen, _mm512_maskz_loadu_epi32(chosen, rows));
        const auto count = static_cast<std::size_t>(__builtin_popcount(bits));
        const auto put = [&](std::size_t from, __m256i some_scores, __m256i some_places) {
            const __m512i both = _mm512_or_si512(_mm512_slli_epi64(_mm512_cvtepu32_epi64(some_scores), 32),
                                                 _mm512_cvtepu32_epi64(some_places));
            _mm512_mask_storeu_epi64(out + from, static_cast<__mmask8>(first(count - from)), both);
        };
        put(0, _mm512_castsi512_si256(scores), _mm512_castsi512_si256(places));
        if (count > 8) put(8, _mm512_extracti64x4_epi64(scores, 1), _mm512_extracti64x4_epi64(places, 1));
        return count;
    }

    static void transpose(Avx512Lanes (&rows)[kLanes]) {
        __m512i all[kLanes];
        unrolled<kLanes>([&](auto n) { all[n] = _mm512_castps_si512(rows[n].lanes); });
        nlvr::transpose(all);
        unrolled<kLanes>([&](auto n) { rows[n] = {_mm512_castsi512_ps(all[n])}; });
    }

    template <int N>
    static void sums(const Avx512Lanes (&all)[N], float* out) {
        const __m512 folded = Fold<FloatSum>::all<N>([&](int n) { return all[n].lanes; });
        _mm512_mask_storeu_ps(out, first(N), folded);
    }
};

#ifdef __AVX512VNNI__
// One instruction multiplies unsigned by signed bytes: a track's codes go in as code + 128, and what that adds to a
// query's every sum comes off at its end.
struct Avx512Codes {
    static constexpr bool kCheap = true;
    static constexpr std::size_t kStep = 64;

    static __mmask64 first(std::size_t count) { return (__mmask64{1} << count) - 1; }
    static __m512i raised(__m512i codes) { return _mm512_xor_si512(codes, _mm512_set1_epi8(-128)); }
    static __m512i query(const std::int8_t* from) { return _mm512_loadu_si512(from); }
    static __m512i query(const std::int8_t* from, std::size_t count) {
        return _mm512_maskz_loadu_epi8(first(count), from);
    }
    static __m512i track(const std::int8_t* from) { return raised(query(from)); }
    static __m512i track(const std::int8_t* from, std::size_t count) { return raised(query(from, count)); }
    static __m512i add_product(__m512i query, __m512i track, __m512i sum) {
        // As an intrinsic it makes GCC 12 copy every sum before it is added to.
        asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(track), "v"(query));
        return sum;
    }
    static std::int32_t offset(const std::int8_t* row, std::size_t dims) {
        __m512i sum = _mm512_setzero_si512();
        for (std::size_t e = 0; e < dims; e += kStep) {
            const std::size_t count = at_most(dims - e, kStep);
            const __m512i codes = count < kStep ? query(row + e, count) : query(row + e);
            sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(-128), codes);
        }
        return -_mm512_reduce_add_epi32(sum);
    }
};
#else
struct Avx512Codes {
    static constexpr bool kCheap = false;  // as many instructions as of floats, and the codes to make
    static constexpr std::size_t kStep = 32;

    static __m512i query(const std::int8_t* from) {
        return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    }
    static __m512i query(const std::int8_t* from, std::size_t count) {
        return _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8((__mmask32{1} << count) - 1, from));
    }
    static __m512i track(const std::int8_t* from) { return query(from); }
    static __m512i track(const std::int8_t* from, std::size_t count) { return query(from, count); }
    static __m512i add_product(__m512i query, __m512i track, __m512i sum) {
        return _mm512_add_epi32(sum, _mm512_madd_epi16(query, track));
    }
    static std::int32_t offset(const std::int8_t* /*row*/, std::size_t /*dims*/) { return 0; }
};
#endif

struct Avx512Products : Avx512Codes {
    using Element = std::int8_t;
    using Result = std::int32_t;
    using Sum = __m512i;
    static constexpr int kQueries = 4, kTracks = 4, kParts = 1;

    static __m512i zero() { return _mm512_setzero_si512(); }
    template <int N>
    static void sums(const __m512i (&all)[N], std::int32_t* out) {
        const __m512 folded = Fold<IntegerSum>::all<N>([&](int n) { return _mm512_castsi512_ps(all[n]); });
        _mm512_mask_storeu_epi32(out, nlvr::first(N), _mm512_castps_si512(folded));
    }
};

#ifdef __AVX512VNNI__
// Products with no sum to fold: sixteen tracks lie in the lanes, four of their codes in each, and meet the same four of
// a query. To turn tracks so costs as much as the products of a few queries.
namespace turned_codes {

constexpr std::size_t kLeastQueries = 4, kLeastTracks = 8;
constexpr std::size_t kQuads = 256;  // that are turned at once
constexpr std::size_t kSlab = 256;   // of queries
constexpr int kGroups = 2;           // of tracks, at most

using Quads = __m512i[kQuads][kGroups];

// Turns codes [from, from + size) of Groups * 16 tracks, as `load` gives them; those that are missing are the last one
// again.
template <int Groups, class Load>
void turn(const std::int8_t* const* tracks, std::size_t tracks_size, std::size_t from, std::size_t size,
          __m512i (*quads)[kGroups], const Load& load) {
    for (std::size_t group = 0; group < Groups; ++group) {
        for (std::size_t e = 0; e < size; e += Avx512Codes::kStep) {
            const std::size_t count = at_most(size - e, Avx512Codes::kStep);
            __m512i rows[16];
            unrolled<16>([&](auto n) {
                const std::int8_t* codes = tracks[at_most(kLanes * group + n, tracks_size - 1)] + from + e;
                rows[n] = count < Avx512Codes::kStep ? load(codes, count) : load(codes);
            });
            transpose(rows);
            unrolled<16>([&](auto n) { quads[e / 4 + n][group] = rows[n]; });
        }
    }
}

// Up to four codes of a query in every lane.
inline __m512i four(const std::int8_t* codes, std::size_t count) {
    std::int32_t bytes = 0;
    __builtin_memcpy(&bytes, codes, count);
    return _mm512_set1_epi32(bytes);
}

// The products of codes [from, from + size), added to those of the codes before.
template <int Queries, int Groups>
void tile(const std::int8_t* const* queries, const Quads& quads, std::size_t tracks_size, std::size_t from,
          std::size_t size, const std::int32_t* offsets, std::int32_t* out, std::size_t out_stride) {
    const auto there = [&](std::size_t group) {
        return first(tracks_size > kLanes * group ? at_most(tracks_size - kLanes * group, kLanes) : 0);
    };
    const std::int8_t* codes[Queries];
    __m512i sums[Queries * Groups];
    for (int i = 0; i < Queries; ++i) {
        codes[i] = queries[i] + from;
        for (int g = 0; g < Groups; ++g) {
            const std::int32_t* before = out + i * out_stride + kLanes * g;
            sums[i * Groups + g] =
                from == 0 ? _mm512_set1_epi32(offsets[i]) : _mm512_maskz_loadu_epi32(there(g), before);
        }
    }
    const std::size_t whole = size / 4;
    // The remainder goes first: after the loop, GCC would keep every sum twice.
    if (size % 4 != 0) {
#pragma GCC unroll 8
        for (int i = 0; i < Queries; ++i) {
            const __m512i query = four(codes[i] + 4 * whole, size % 4);
#pragma GCC unroll 2
            for (int g = 0; g < Groups; ++g) {
                sums[i * Groups + g] = Avx512Codes::add_product(query, quads[whole][g], sums[i * Groups + g]);
            }
        }
    }
    for (std::size_t quad = 0; quad < whole; ++quad) {
#pragma GCC unroll 8
        for (int i = 0; i < Queries; ++i) {
            const __m512i query = four(codes[i] + 4 * quad, 4);
#pragma GCC unroll 2
            for (int g = 0; g < Groups; ++g) {
                sums[i * Groups + g] = Avx512Codes::add_product(query, quads[quad][g], sums[i * Groups + g]);
            }
        }
    }
    for (int i = 0; i < Queries; ++i) {
        for (int g = 0; g < Groups; ++g) {
            _mm512_mask_storeu_epi32(out + i * out_stride + kLanes * g, there(g), sums[i * Groups + g]);
        }
    }
}

template <int Groups>
void strip(const std::int8_t* const* queries, std::size_t queries_size, const std::int8_t* const* tracks,
           std::size_t tracks_size, std::size_t dims, const std::int32_t* offsets, std::int32_t* out,
           std::size_t out_stride) {
    alignas(64) Quads quads;
    for (std::size_t from = 0; from < dims; from += 4 * kQuads) {
        const std::size_t size = at_most(dims - from, 4 * kQuads);
        turn<Groups>(tracks, tracks_size, from, size, quads,
                     [](const std::int8_t* codes, auto... count) { return Avx512Codes::track(codes, count...); });
        std::size_t i = 0;
        const auto some = [&]<int Queries>() {
            tile<Queries, Groups>(queries + i, quads, tracks_size, from, size, offsets + i, out + i * out_stride,
                                  out_stride);
            i += Queries;
        };
        while (i + 8 <= queries_size) some.template operator()<8>();
        while (i + 2 <= queries_size) some.template operator()<2>();
        while (i < queries_size) some.template operator()<1>();
    }
}

inline void products(const std::int8_t* const* queries, std::size_t queries_size, const std::int8_t* const* tracks,
                     std::size_t tracks_size, std::size_t dims, std::int32_t* out) {
    if (queries_size < kLeastQueries || tracks_size < kLeastTracks || dims == 0) {
        nlvr::products<Avx512Products>(queries, queries_size, tracks, tracks_size, dims, out);
        return;
    }
    for (std::size_t i = 0; i < queries_size; i += kSlab) {
        const std::size_t slab = at_most(queries_size - i, kSlab);
        std::int32_t offsets[kSlab];
        for (std::size_t n = 0; n < slab; ++n) offsets[n] = Avx512Codes::offset(queries[i + n], dims);
        for (std::size_t j = 0; j < tracks_size; j += kGroups * kLanes) {
            const std::size_t left = at_most(tracks_size - j, kGroups * kLanes);
            const auto run = left > kLanes ? strip<2> : strip<1>;
            run(queries + i, slab, tracks + j, left, dims, offsets, out + i * tracks_size + j, tracks_size);
        }
    }
}

}  // namespace turned_codes
#endif

}  // namespace
}  // namespace nlvr
