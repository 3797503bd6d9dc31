// The same with tiles: one instruction multiplies sixteen rows of queries by sixteen tracks, as bytes or as bfloat16.
#include "avx512.hpp"

namespace nlvr {
namespace {

constexpr std::size_t kTile = 16;       // rows of a tile, and numbers of 32 bits in one of them
constexpr std::size_t kTileCodes = 64;  // in a row
constexpr std::size_t kMostDims = 2048;
constexpr std::size_t kStripTracks = turned_codes::kGroups * kTile;

// Tiles 0 to 3 hold products of two sixteens of queries (4 and 5) and two of tracks (6 and 7).
struct alignas(64) TileShapes {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {kTile, kTile, kTile, kTile, kTile, kTile, kTile, kTile};
};

constexpr TileShapes kTileShapes;

struct Tiles {
    Tiles() { _tile_loadconfig(&kTileShapes); }
    // Else the system would save them at every change of threads.
    ~Tiles() { _tile_release(); }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
};

// Queries in sixteens, as tiles are read.
struct QueryRows {
    const std::int8_t* first;
    std::size_t stride, size, dims;
};

bool evenly_spaced(const std::int8_t* const* rows, std::size_t size) {
    const std::ptrdiff_t stride = rows[1] - rows[0];
    bool even = stride >= 0;
    for (std::size_t i = 2; i < size; ++i) even &= rows[i] - rows[i - 1] == stride;
    return even;
}

// Rows of 64 codes of sixteen queries: where they lie, and of the last codes a copy with zeros behind them.
struct QueryTile {
    QueryTile(const QueryRows& queries, std::size_t row)
        : rows(queries.first + row * queries.stride), stride(static_cast<long>(queries.stride)) {
        const std::size_t whole = queries.dims / kTileCodes * kTileCodes, rest = queries.dims - whole;
        for (std::size_t n = 0; rest > 0 && n < kTile; ++n) {
            _mm512_store_si512(last[n], Avx512Codes::query(rows + n * queries.stride + whole, rest));
        }
    }

    const std::int8_t* rows;
    long stride;
    alignas(64) std::int8_t last[kTile][kTileCodes];
};

// out[n * out_stride + m] of sixteen or, if Both, 32 queries and the turned tracks.
template <bool Both>
void multiply_tiles(const QueryTile (&queries)[2], const __m512i (*quads)[turned_codes::kGroups], std::size_t dims,
                    std::int32_t* out, std::size_t out_stride) {
    constexpr long kQuadStride = sizeof(__m512i) * turned_codes::kGroups;
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (Both) {
        _tile_zero(2);
        _tile_zero(3);
    }
    // The intrinsics do not tell GCC that they read memory: all that was stored must be there by now.
    asm volatile("" ::: "memory");
    const auto step = [&](const std::int8_t* low, const std::int8_t* high, long stride, std::size_t e) {
        _tile_loadd(4, low, stride);
        _tile_loadd(6, &quads[e / 4][0], kQuadStride);
        _tile_dpbssd(0, 4, 6);
        _tile_loadd(7, &quads[e / 4][1], kQuadStride);
        _tile_dpbssd(1, 4, 7);
        if constexpr (Both) {
            _tile_loadd(5, high, stride);
            _tile_dpbssd(2, 5, 6);
            _tile_dpbssd(3, 5, 7);
        }
    };
    const std::size_t whole = dims / kTileCodes * kTileCodes;
    for (std::size_t e = 0; e < whole; e += kTileCodes) {
        step(queries[0].rows + e, queries[1].rows + e, queries[0].stride, e);
    }
    if (whole < dims) step(queries[0].last[0], queries[1].last[0], kTileCodes, whole);
    const long stride = static_cast<long>(out_stride * sizeof(std::int32_t));
    _tile_stored(0, out, stride);
    _tile_stored(1, out + kTile, stride);
    if constexpr (Both) {
        _tile_stored(2, out + kTile * out_stride, stride);
        _tile_stored(3, out + kTile * out_stride + kTile, stride);
    }
}

void multiply_strip(const QueryRows& queries, const std::int8_t* const* tracks, std::size_t tracks_size,
                    std::int32_t* out, std::size_t out_stride) {
    alignas(64) __m512i quads[kMostDims / 4][turned_codes::kGroups];
    turned_codes::turn<turned_codes::kGroups>(
        tracks, tracks_size, 0, queries.dims, quads,
        [](const std::int8_t* codes, auto... count) { return Avx512Codes::query(codes, count...); });
    std::int32_t apart[2 * kTile * kStripTracks];
    for (std::size_t i = 0; i < queries.size;) {
        const bool both = queries.size - i >= 2 * kTile;
        // The last sixteen may begin among those before: their products come out the same again.
        i = both ? i : at_most(i, queries.size - kTile);
        const QueryTile pair[2] = {{queries, i}, {queries, both ? i + kTile : i}};
        const std::size_t size = both ? 2 * kTile : kTile;
        std::int32_t* const first = out + i * out_stride;
        const bool all = tracks_size == kStripTracks;
        const auto run = both ? multiply_tiles<true> : multiply_tiles<false>;
        run(pair, quads, queries.dims, all ? first : apart, all ? out_stride : kStripTracks);
        for (std::size_t n = 0; !all && n < size; ++n) {
            __builtin_memcpy(first + n * out_stride, apart + n * kStripTracks, tracks_size * sizeof(std::int32_t));
        }
        i += size;
    }
}

void tiled_products(const std::int8_t* const* queries, std::size_t queries_size, const std::int8_t* const* tracks,
                    std::size_t tracks_size, std::size_t dims, std::int32_t* out) {
    if (queries_size < kTile || tracks_size < kTile || dims > kMostDims || dims == 0 ||
        !evenly_spaced(queries, queries_size)) {
        turned_codes::products(queries, queries_size, tracks, tracks_size, dims, out);
        return;
    }
    const Tiles tiles;
    const QueryRows rows{queries[0], static_cast<std::size_t>(queries[1] - queries[0]), queries_size, dims};
    for (std::size_t j = 0; j < tracks_size; j += kStripTracks) {
        multiply_strip(rows, tracks + j, at_most(tracks_size - j, kStripTracks), out + j, tracks_size);
    }
}

void round_queries(const float* const* rows, std::size_t size, std::size_t dims, TileRow* tiles, float* squares,
                   float* rest_squares) {
    const auto widened = [](__m256i numbers) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(numbers), 16));
    };
    for (std::size_t i = 0; i < size; i += kTile) {
        const std::size_t some = at_most(size - i, kTile);
        Avx512Lanes own[kTile], rest[kTile];
        unrolled<kTile>([&](auto n) { own[n] = rest[n] = Avx512Lanes::zero(); });
        for (std::size_t e = 0; e < dims; e += kTileNumbers, tiles += kTile) {
            const std::size_t count = at_most(dims - e, kTileNumbers), in_low = at_most(count, kLanes);
            __m512i rounded[kTile];
            for (std::size_t n = 0; n < kTile; ++n) {
                rounded[n] = _mm512_setzero_si512();
                if (n >= some) continue;
                const __m512 low = Avx512Lanes::load(rows[i + n] + e, in_low).lanes,
                             high = Avx512Lanes::load(rows[i + n] + e + kLanes, count - in_low).lanes;
                const __m512bh both = _mm512_cvtne2ps_pbh(high, low);
                __builtin_memcpy(&rounded[n], &both, sizeof both);
                const __m512 low_rest = _mm512_sub_ps(low, widened(_mm512_castsi512_si256(rounded[n]))),
                             high_rest = _mm512_sub_ps(high, widened(_mm512_extracti64x4_epi64(rounded[n], 1)));
                own[n] = {_mm512_fmadd_ps(high, high, _mm512_fmadd_ps(low, low, own[n].lanes))};
                rest[n] = {_mm512_fmadd_ps(high_rest, high_rest, _mm512_fmadd_ps(low_rest, low_rest, rest[n].lanes))};
            }
            transpose(rounded);
            for (std::size_t pair = 0; pair < kTile; ++pair) _mm512_store_si512(tiles + pair, rounded[pair]);
        }
        const auto put = [&](const Avx512Lanes(&all)[kTile], float* to) {
            float sums[kTile];
            Avx512Lanes::sums(all, sums);
            for (std::size_t n = 0; n < some; ++n) to[i + n] = sums[n];
        };
        put(own, squares);
        put(rest, rest_squares);
    }
}

// As many sixteens of queries as one pass over sixteen tracks meets.
constexpr std::size_t kMostSixteens = 4;

// Sixteen tracks and what becomes of them: their rounded numbers in tiles, and their lengths.
struct RoundedTracks {
    const float* rows[kTile];
    const float* later[kTile];  // to be fetched meanwhile
    TileRow* tiles;
    float lengths[kTile];
};

// Products of the tracks by `Sixteens` times sixteen queries: those of track n and query i of the first at [n * 16 +
// i]. If Round, each tile of the tracks is made just before it is multiplied, so that memory is never left waiting.
template <int Sixteens, bool Round>
[[gnu::noinline]] void multiply_rounded(const TileRow* queries, std::size_t dims, RoundedTracks& tracks,
                                        float* products) {
    const std::size_t sixteen = tile_rows(kTile, dims);
    Avx512Lanes squares[kTile];
    if constexpr (Round) unrolled<kTile>([&](auto n) { squares[n] = Avx512Lanes::zero(); });
    TileRow* tile = tracks.tiles;
    _tile_zero(0);
    if constexpr (Sixteens > 1) _tile_zero(1);
    if constexpr (Sixteens > 2) _tile_zero(2);
    if constexpr (Sixteens > 3) _tile_zero(3);
    // The intrinsics do not tell GCC that they read memory, and what is stored is to be read again.
    const auto memory = [] { asm volatile("" ::: "memory"); };
    const auto step = [&](std::size_t e, [[maybe_unused]] auto... count) __attribute__((always_inline)) {
        if constexpr (Round) {
            unrolled<kTile>([&](auto n) {
                const float* const row = tracks.rows[n] + e;
                _mm_prefetch(tracks.later[n] + e, _MM_HINT_T1);
                _mm_prefetch(tracks.later[n] + e + kLanes, _MM_HINT_T1);
                const Avx512Lanes low = Avx512Lanes::load(row, at_most(count, kLanes)...),
                                  high = Avx512Lanes::load(row + kLanes, (count - at_most(count, kLanes))...);
                squares[n] = multiply_add(high, high, multiply_add(low, low, squares[n]));
                const __m512bh rounded = _mm512_cvtne2ps_pbh(high.lanes, low.lanes);
                __builtin_memcpy(tile + n, &rounded, sizeof rounded);
            });
        }
        memory();
        _tile_loadd(4, tile, sizeof(TileRow));
        _tile_loadd(5, queries, sizeof(TileRow));
        _tile_dpbf16ps(0, 4, 5);
        if constexpr (Sixteens > 1) {
            _tile_loadd(6, queries + sixteen, sizeof(TileRow));
            _tile_dpbf16ps(1, 4, 6);
        }
        if constexpr (Sixteens > 2) {
            _tile_loadd(5, queries + 2 * sixteen, sizeof(TileRow));
            _tile_dpbf16ps(2, 4, 5);
        }
        if constexpr (Sixteens > 3) {
            _tile_loadd(6, queries + 3 * sixteen, sizeof(TileRow));
            _tile_dpbf16ps(3, 4, 6);
        }
        tile += kTile;
        queries += kTile;
    };
    const std::size_t whole = dims / kTileNumbers * kTileNumbers;
    for (std::size_t e = 0; e < whole; e += kTileNumbers) step(e);
    if (whole < dims) step(whole, dims - whole);
    constexpr long kProducts = kTile * sizeof(float);
    _tile_stored(0, products, kProducts);
    if constexpr (Sixteens > 1) _tile_stored(1, products + kTile * kTile, kProducts);
    if constexpr (Sixteens > 2) _tile_stored(2, products + 2 * kTile * kTile, kProducts);
    if constexpr (Sixteens > 3) _tile_stored(3, products + 3 * kTile * kTile, kProducts);
    memory();
    if constexpr (Round) {
        Avx512Lanes::sums(squares, tracks.lengths);
        // The product of a longer one could be no number, or infinite the wrong way.
        const __m512 lengths = _mm512_sqrt_ps(_mm512_loadu_ps(tracks.lengths)), most = _mm512_set1_ps(kMostLength),
                     infinity = _mm512_set1_ps(__builtin_inff());
        _mm512_storeu_ps(tracks.lengths,
                         _mm512_mask_mov_ps(lengths, _mm512_cmp_ps_mask(lengths, most, _CMP_GE_OQ), infinity));
    }
}

template <bool Round, int Sixteens = kMostSixteens>
auto multiply_rounded_by(std::size_t sixteens) {
    if constexpr (Sixteens > 1) {
        if (sixteens < Sixteens) return multiply_rounded_by<Round, Sixteens - 1>(sixteens);
    }
    return multiply_rounded<Sixteens, Round>;
}

// What sixteen queries, of which those in `there` exist, and some tracks come to.
struct Sixteen {
    std::size_t query;  // the first
    __mmask16 there;
    std::size_t track, tracks_size;  // the first, and how many
    const float* products;           // sixteen for each track
    const float* lengths;
};

// Calls `take` with every Sixteen.
template <class Take>
void over_rounded(const RoundedQueries& queries, const float* const* tracks, std::size_t tracks_size,
                  std::size_t tracks_there, TileRow* scratch, const Take& take) {
    const Tiles tiles;
    alignas(64) float products[kMostSixteens * kTile * kTile];
    RoundedTracks rounded;
    rounded.tiles = scratch;
    for (std::size_t j = 0; j < tracks_size; j += kTile) {
        const std::size_t size = at_most(tracks_size - j, kTile);
        for (std::size_t n = 0; n < kTile; ++n) {
            // Those that are missing are the last one again.
            rounded.rows[n] = tracks[j + at_most(n, size - 1)];
            rounded.later[n] = tracks[at_most(j + kTile + n, tracks_there - 1)];
        }
        for (std::size_t i = 0; i < queries.size; i += kMostSixteens * kTile) {
            const std::size_t left = at_most(queries.size - i, kMostSixteens * kTile);
            const auto multiply = i == 0 ? multiply_rounded_by<true>((left + kTile - 1) / kTile)
                                         : multiply_rounded_by<false>((left + kTile - 1) / kTile);
            multiply(queries.tiles + tile_rows(i, queries.dims), queries.dims, rounded, products);
            for (std::size_t from = 0; from < left; from += kTile) {
                take(Sixteen{i + from, first(at_most(left - from, kTile)), j, size, products + from * kTile,
                             rounded.lengths});
            }
        }
    }
}

// How far the score of track n may lie from its product.
struct Slack {
    __m512 slopes, leasts;

    Slack(const RoundedQueries& queries, const Sixteen& of)
        : slopes(_mm512_maskz_loadu_ps(of.there, queries.slopes + of.query)),
          leasts(_mm512_maskz_loadu_ps(of.there, queries.leasts + of.query)) {}
    __m512 operator()(float length) const { return _mm512_fmadd_ps(_mm512_set1_ps(length), slopes, leasts); }
};

void reaching_rounded(const RoundedQueries& queries, const float* floors, const float* const* tracks,
                      std::size_t tracks_size, std::size_t tracks_there, TileRow* scratch, std::uint32_t* places,
                      std::size_t places_stride, std::uint32_t* sizes) {
    over_rounded(queries, tracks, tracks_size, tracks_there, scratch, [&](const Sixteen& some) {
        const Slack slack(queries, some);
        const __m512 lowest = _mm512_maskz_loadu_ps(some.there, floors + some.query);
        for (std::size_t n = 0; n < some.tracks_size; ++n) {
            const __m512 bound = _mm512_add_ps(_mm512_load_ps(some.products + n * kTile), slack(some.lengths[n]));
            unsigned bits = _mm512_mask_cmp_ps_mask(some.there, bound, lowest, _CMP_NLE_UQ);
            for (; bits != 0; bits &= bits - 1) {
                const std::size_t query = some.query + static_cast<std::size_t>(__builtin_ctz(bits));
                places[query * places_stride + sizes[query]++] = static_cast<std::uint32_t>(some.track + n);
            }
        }
    });
}

void lows_rounded(const RoundedQueries& queries, const float* const* tracks, std::size_t tracks_size,
                  std::size_t tracks_there, TileRow* scratch, float* lows) {
    over_rounded(queries, tracks, tracks_size, tracks_there, scratch, [&](const Sixteen& some) {
        const Slack slack(queries, some);
        float* const own = lows + some.query * kMostLows;
        __m512 kept[kMostLows];
        unrolled<kMostLows>([&](auto place) { kept[place] = _mm512_loadu_ps(own + place * kTile); });
        for (std::size_t n = 0; n < some.tracks_size; ++n) {
            __m512 low = _mm512_sub_ps(_mm512_load_ps(some.products + n * kTile), slack(some.lengths[n]));
            low =
                _mm512_mask_mov_ps(low, _mm512_cmp_ps_mask(low, low, _CMP_UNORD_Q), _mm512_set1_ps(-__builtin_inff()));
            unrolled<kMostLows>([&](auto place) {
                const __m512 greater = _mm512_max_ps(kept[place], low);
                low = _mm512_min_ps(kept[place], low);
                kept[place] = greater;
            });
        }
        unrolled<kMostLows>([&](auto place) { _mm512_storeu_ps(own + place * kTile, kept[place]); });
    });
}

}  // namespace

namespace amx {
constinit const Kernels kKernels = table<Avx512Lanes, Avx512Products>(turned_scores<Avx512Lanes>, tiled_products,
                                                                      round_queries, reaching_rounded, lows_rounded);
}
}  // namespace nlvr
