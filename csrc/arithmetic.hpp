// The kernels of one instruction set, written over two types of it:
//
// `Lanes`, 16 float32 with zero(), set(x), load(p), load(p, count) (the lanes from count on are 0; p may point to any
//   stored number, and the two of int32 and int8 convert), store(p, count), add(a, b), multiply(a, b),
//   multiply_add(a, b, c), larger_magnitude(a, b), largest(), above(a, floor) (one bit a lane), round(p, count),
//   perhaps round(lanes[4], p) and candidates(rows, bits, out) of the lanes with a bit, and sums(lanes[N], out), which
//   folds each of N sets of lanes by the one tree; kQueries x kTracks, the tile of scores that fits its registers (and
//   kTracks the pairs that it takes side by side); kChannels, how many channels of a box it sums side by side; and
//   kParts: where the lanes are several registers, a tile may go through its rows once for each, and so hold as many
//   more scores. Part<P> then accumulates in one of them as `Floats` does in all, and put<P>(sum) takes its sum.
//   For turned.hpp transpose(lanes[16]), rows to columns, and kTurnedQueries x kTurnedGroups, its tile.
// `Codes`, products of int8: what `Floats` below says of float32; and kCheap, Kernels::cheap_products.
//
// Included by kernels_<isa>.cpp and what they share alone. Everything is in an unnamed namespace, so no copy is shared
// between them.
#pragma once

#include "kernels.hpp"

namespace nlvr {
namespace {

inline std::size_t at_most(std::size_t value, std::size_t limit) { return value < limit ? value : limit; }

template <int I>
struct Index {
    constexpr operator int() const { return I; }
};

// f(0) … f(N - 1), spelled out: what an array of registers needs to stay in them.
template <int N, int I = 0, class F>
[[gnu::always_inline]] inline void unrolled(const F& f) {
    if constexpr (I < N) {
        f(Index<I>());
        unrolled<N, I + 1>(f);
    }
}

// Looked up only where it is asked for: lanes of one register have no parts to name.
template <class Lanes, int P>
struct PartOf {
    using Type = typename Lanes::template Part<P>;
};

// Inner products of float32, kStep elements at a time.
template <class Lanes>
struct Floats {
    using Element = float;
    using Result = float;
    using Sum = Lanes;
    template <int P>
    using Part = typename PartOf<Lanes, P>::Type;
    static constexpr std::size_t kStep = kLanes;
    static constexpr int kQueries = Lanes::kQueries, kTracks = Lanes::kTracks, kParts = Lanes::kParts;

    template <class... Count>
    static Lanes query(const float* from, Count... count) {
        return Lanes::load(from, count...);
    }
    template <class... Count>
    static Lanes track(const float* from, Count... count) {
        return Lanes::load(from, count...);
    }
    static Lanes zero() { return Lanes::zero(); }
    static Lanes add_product(Lanes query, Lanes track, Lanes sum) { return multiply_add(query, track, sum); }
    template <int N>
    static void sums(const Lanes (&all)[N], float* out) {
        Lanes::sums(all, out);
    }
    // What every finished sum of a query still takes.
    static float offset(const float* /*query*/, std::size_t /*dims*/) { return 0.0f; }
};

// sums[i * Tracks + j] = <queries[i], tracks[j]>, not folded yet. later: if given, a track that is to be fetched
// meanwhile: left to itself, a CPU reads ahead too little while it computes.
template <class Product, int Queries, int Tracks, class... Later>
[[gnu::always_inline]] inline void accumulate(const typename Product::Element* const* queries,
                                              const typename Product::Element* const* tracks, std::size_t dims,
                                              typename Product::Sum (&sums)[Queries * Tracks], Later... later) {
    unrolled<Queries * Tracks>([&](auto n) { sums[n] = Product::zero(); });
    const auto step = [&](std::size_t e, auto... count) __attribute__((always_inline)) {
        (__builtin_prefetch(later + e), ...);
        decltype(Product::track(tracks[0])) track[Tracks];
        unrolled<Tracks>([&](auto j) { track[j] = Product::track(tracks[j] + e, count...); });
        unrolled<Queries>([&](auto i) {
            const auto query = Product::query(queries[i] + e, count...);
            unrolled<Tracks>([&](auto j) {
                auto& sum = sums[i * Tracks + j];
                sum = Product::add_product(query, track[j], sum);
            });
        });
    };
    const std::size_t whole = dims - dims % Product::kStep;
    for (std::size_t e = 0; e < whole; e += Product::kStep) step(e);
    if (whole < dims) step(whole, dims - whole);
}

// How a tile goes through its tracks: all side by side, with the fewest loads, or one after the other, in the order in
// which they lie in memory and are fetched fastest.
enum class Order { kTogether, kInTurn };

template <class Product, Order kOrder, int Queries, int Tracks>
void product_tile(const typename Product::Element* const* queries, const typename Product::Element* const* tracks,
                  std::size_t tracks_left, std::size_t dims, const typename Product::Result* offsets,
                  typename Product::Result* out, std::size_t out_stride) {
    typename Product::Sum sums[Queries * Tracks];
    if constexpr (kOrder == Order::kTogether && Product::kParts > 1 && Tracks > 1) {
        unrolled<Product::kParts>([&](auto p) {
            constexpr int kPart = p;
            using Part = typename Product::template Part<kPart>;
            typename Part::Sum part_sums[Queries * Tracks];
            accumulate<Part, Queries, Tracks>(queries, tracks, dims, part_sums);
            unrolled<Queries * Tracks>([&](auto n) { sums[n].template put<kPart>(part_sums[n]); });
        });
    } else if constexpr (kOrder == Order::kTogether) {
        accumulate<Product, Queries, Tracks>(queries, tracks, dims, sums);
    } else {
        unrolled<Tracks>([&](auto j) {
            typename Product::Sum track_sums[Queries];
            constexpr std::size_t kAhead = 16 / sizeof(typename Product::Element);  // 8 KB, of rows of 512 numbers
            const auto* later = tracks[at_most(j + kAhead, tracks_left - 1)];
            accumulate<Product, Queries, 1>(queries, tracks + j, dims, track_sums, later);
            unrolled<Queries>([&](auto i) { sums[i * Tracks + j] = track_sums[i]; });
        });
    }
    typename Product::Result tile[Queries * Tracks];
    Product::sums(sums, tile);
    unrolled<Queries>([&](auto i) {
        typename Product::Result* const row = out + static_cast<std::size_t>(i) * out_stride;
        unrolled<Tracks>([&](auto j) { row[j] = tile[i * Tracks + j] + offsets[i]; });
    });
}

template <class Product, Order kOrder, int Queries, int Tracks>
void product_strip(const typename Product::Element* const* queries, const typename Product::Element* const* tracks,
                   std::size_t tracks_size, std::size_t tracks_left, std::size_t dims, typename Product::Result* out,
                   std::size_t out_stride) {
    typename Product::Result offsets[Queries];
    for (int i = 0; i < Queries; ++i) offsets[i] = Product::offset(queries[i], dims);
    std::size_t j = 0;
    for (; j + Tracks <= tracks_size; j += Tracks) {
        product_tile<Product, kOrder, Queries, Tracks>(queries, tracks + j, tracks_left - j, dims, offsets, out + j,
                                                       out_stride);
    }
    // What is left goes four at a time where a tile of one query was longer than that.
    if constexpr (Tracks > 4) {
        for (; j + 4 <= tracks_size; j += 4) {
            product_tile<Product, kOrder, Queries, 4>(queries, tracks + j, tracks_left - j, dims, offsets, out + j,
                                                      out_stride);
        }
    }
    for (; j < tracks_size; ++j) {
        product_tile<Product, kOrder, Queries, 1>(queries, tracks + j, tracks_left - j, dims, offsets, out + j,
                                                  out_stride);
    }
}

// tracks_left: as many follow, this part of them included.
template <class Product>
void products_near(const typename Product::Element* const* queries, std::size_t queries_size,
                   const typename Product::Element* const* tracks, std::size_t tracks_size, std::size_t tracks_left,
                   std::size_t dims, typename Product::Result* out, std::size_t out_stride) {
    constexpr int kQueries = Product::kQueries, kTracks = Product::kTracks;
    std::size_t i = 0;
    // The first queries fetch the tracks, the others find them in the cache.
    const auto strip = [&]<int Queries>() {
        constexpr int kTile = kQueries / Queries * kTracks;
        const auto run = i == 0               ? product_strip < Product, Order::kInTurn, Queries,
                   Queries == 1 ? 1 : kTile > : product_strip<Product, Order::kTogether, Queries, kTile>;
        run(queries + i, tracks, tracks_size, tracks_left, dims, out + i * out_stride, out_stride);
        i += Queries;
    };
    while (i + kQueries <= queries_size) strip.template operator()<kQueries>();
    while (i < queries_size) strip.template operator()<1>();
}

template <class Product>
void products(const typename Product::Element* const* queries, std::size_t queries_size,
              const typename Product::Element* const* tracks, std::size_t tracks_size, std::size_t dims,
              typename Product::Result* out) {
    // As many tracks as fit the nearest cache meet every query before the next ones do.
    constexpr std::size_t kNear = 24576 / sizeof(typename Product::Element);
    constexpr std::size_t kWhole = Product::kQueries * Product::kTracks;
    const std::size_t near = kNear / (dims + 1) / kWhole * kWhole, part = near < kWhole ? kWhole : near;
    for (std::size_t j = 0; j < tracks_size; j += part) {
        products_near<Product>(queries, queries_size, tracks + j, at_most(tracks_size - j, part), tracks_size - j, dims,
                               out + j, tracks_size);
    }
}

template <class Lanes>
void plain_scores(const float* const* queries, std::size_t queries_size, const float* const* tracks,
                  std::size_t tracks_size, std::size_t dims, float* out, float* /*scratch*/) {
    products<Floats<Lanes>>(queries, queries_size, tracks, tracks_size, dims, out);
}

template <class Lanes, int Pairs>
void pair_tile(const float* const* queries, const float* const* tracks, std::size_t dims, float* out) {
    Lanes sums[Pairs];
    unrolled<Pairs>([&](auto n) { sums[n] = Lanes::zero(); });
    const auto step = [&](std::size_t e, auto... count) __attribute__((always_inline)) {
        unrolled<Pairs>([&](auto n) {
            sums[n] =
                multiply_add(Lanes::load(queries[n] + e, count...), Lanes::load(tracks[n] + e, count...), sums[n]);
        });
    };
    const std::size_t whole = dims - dims % kLanes;
    for (std::size_t e = 0; e < whole; e += kLanes) step(e);
    if (whole < dims) step(whole, dims - whole);
    Lanes::sums(sums, out);
    unrolled<Pairs>([&](auto n) { out[n] += 0.0f; });
}

template <class Lanes>
void pair_scores(const float* const* queries, const float* const* tracks, std::size_t pairs, std::size_t dims,
                 float* out) {
    constexpr int kPairs = Lanes::kTracks;
    std::size_t n = 0;
    for (; n + kPairs <= pairs; n += kPairs) pair_tile<Lanes, kPairs>(queries + n, tracks + n, dims, out + n);
    for (; n < pairs; ++n) pair_tile<Lanes, 1>(queries + n, tracks + n, dims, out + n);
}

// No branch depends on the order, for a wrong guess costs more than all these comparisons, eight of which are one.
inline void sort_few(std::uint64_t* values, std::size_t size) {
    constexpr std::size_t kSideBySide = 8;
    std::uint64_t given[kFewValues], sorted[kFewValues];
    const std::size_t padded = (size + kSideBySide - 1) / kSideBySide * kSideBySide;
    for (std::size_t i = 0; i < padded; ++i) given[i] = i < size ? values[i] : ~std::uint64_t{0};
    for (std::size_t i = 0; i < size; ++i) {
        std::uint64_t smaller[kSideBySide] = {};
        for (std::size_t j = 0; j < padded; j += kSideBySide) {
            for (std::size_t n = 0; n < kSideBySide; ++n) smaller[n] += given[j + n] < given[i];
        }
        std::uint64_t place = 0;
        for (const std::uint64_t count : smaller) place += count;
        sorted[place] = given[i];
    }
    for (std::size_t i = 0; i < size; ++i) values[i] = sorted[i];
}

constexpr std::uint32_t kNotANumber = 0x7FC00000u;

inline Candidate candidate(float score, std::uint32_t row) {
    std::uint32_t bits = kNotANumber;
    if (score == score) __builtin_memcpy(&bits, &score, sizeof bits);
    return Candidate{bits & kSign ? bits : ~(bits | kSign)} << 32 | row;
}

template <class Lanes>
std::size_t candidates(const float* scores, const std::uint32_t* rows, std::size_t size, float floor, Candidate* out) {
    std::size_t found = 0;
    for (std::size_t j = 0; j < size; j += kLanes) {
        const std::size_t count = at_most(size - j, kLanes);
        const Lanes lanes = Lanes::load(scores + j, count);
        std::uint32_t bits = lanes.above(floor) & ((1u << count) - 1u);
        if constexpr (requires { lanes.candidates(rows, bits, out); }) {
            found += lanes.candidates(rows + j, bits, out + found);
        } else {
            for (; bits != 0; bits &= bits - 1) {
                const std::size_t place = j + static_cast<std::size_t>(__builtin_ctz(bits));
                out[found++] = candidate(scores[place], rows[place]);
            }
        }
    }
    return found;
}

template <class Lanes>
std::size_t reaching(const std::int32_t* products, const CodeBlock& tracks, std::size_t size, const Reach& query,
                     float floor, std::uint32_t* places) {
    const Lanes scale = Lanes::set(query.scale), norm = Lanes::set(query.norm), error = Lanes::set(query.error),
                least = Lanes::set(query.least);
    std::size_t found = 0;
    for (std::size_t j = 0; j < size; j += kLanes) {
        const std::size_t count = at_most(size - j, kLanes);
        const Lanes product = multiply(Lanes::load(products + j, count), Lanes::load(tracks.scales + j, count));
        Lanes slack = multiply_add(Lanes::load(tracks.norms + j, count), norm, least);
        slack = multiply_add(Lanes::load(tracks.errors + j, count), error, slack);
        std::uint32_t bits = multiply_add(product, scale, slack).above(floor) & ((1u << count) - 1u);
        for (; bits != 0; bits &= bits - 1) {
            places[found++] = static_cast<std::uint32_t>(j) + static_cast<std::uint32_t>(__builtin_ctz(bits));
        }
    }
    return found;
}

template <class Lanes>
Magnitude magnitude(const float* row, std::size_t dims, const float* later) {
    constexpr std::size_t kSets = 4;  // side by side, for one would wait for itself
    Lanes largest[kSets], squares[kSets];
    for (std::size_t s = 0; s < kSets; ++s) largest[s] = squares[s] = Lanes::zero();
    const auto take = [&](std::size_t s, const Lanes& some) {
        largest[s] = larger_magnitude(largest[s], some);
        squares[s] = multiply_add(some, some, squares[s]);
    };
    const std::size_t whole = dims - dims % (kSets * kLanes);
    for (std::size_t e = 0; e < whole; e += kSets * kLanes) {
#pragma GCC unroll 4
        for (std::size_t s = 0; s < kSets; ++s) {
            if (s % 2 == 0) __builtin_prefetch(later + (e + s * kLanes) / 2);
            take(s, Lanes::load(row + e + s * kLanes));
        }
    }
    for (std::size_t e = whole; e < dims; e += kLanes) {
        take(0, Lanes::load(row + e, at_most(dims - e, kLanes)));
    }
    const Lanes most =
        larger_magnitude(larger_magnitude(largest[0], largest[1]), larger_magnitude(largest[2], largest[3]));
    const Lanes all[1] = {add(add(squares[0], squares[1]), add(squares[2], squares[3]))};
    Magnitude result{most.largest(), 0.0f};
    Lanes::sums(all, &result.squares);
    return result;
}

template <class Lanes>
void round_row(const float* row, std::size_t dims, float factor, std::int8_t* codes, const float* later) {
    const float* const half = later + dims / 2;
    const Lanes factors = Lanes::set(factor);
    std::size_t e = 0;
    if constexpr (requires(const Lanes(&four)[4]) { Lanes::round(four, codes); }) {
        for (; e + 4 * kLanes <= dims; e += 4 * kLanes) {
            Lanes four[4];
#pragma GCC unroll 4
            for (std::size_t n = 0; n < 4; ++n) {
                if (n % 2 == 0) __builtin_prefetch(half + (e + n * kLanes) / 2);
                four[n] = multiply(Lanes::load(row + e + n * kLanes), factors);
            }
            Lanes::round(four, codes + e);
        }
    }
    for (; e < dims; e += kLanes) {
        const std::size_t count = at_most(dims - e, kLanes);
        multiply(Lanes::load(row + e, count), factors).round(codes + e, count);
    }
}

template <class Lanes, class T>
void widen(const T* from, std::size_t size, float* to) {
    for (std::size_t e = 0; e < size; e += kLanes) {
        const std::size_t count = at_most(size - e, kLanes);
        Lanes::load(from + e, count).store(to + e, count);
    }
}

template <class Lanes>
void widen_codes(const std::int8_t* from, std::size_t size, float scale, float* to) {
    const Lanes scales = Lanes::set(scale);
    for (std::size_t e = 0; e < size; e += kLanes) {
        const std::size_t count = at_most(size - e, kLanes);
        multiply(Lanes::load(from + e, count), scales).store(to + e, count);
    }
}

template <class Lanes, int Channels, class T>
void planar_tile(const Box<T>& box, const T* first, float* out) {
    Lanes sums[Channels];
    for (auto& sum : sums) sum = Lanes::zero();
    for (std::size_t y = 0; y < box.height; ++y) {
        const T* row = first + static_cast<std::ptrdiff_t>(y) * box.row_stride;
        for (std::size_t x = 0; x < box.width; x += kLanes) {
            const std::size_t count = at_most(box.width - x, kLanes);
#pragma GCC unroll 16
            for (int c = 0; c < Channels; ++c) {
                sums[c] = add(sums[c], Lanes::load(row + c * box.channel_stride + x, count));
            }
        }
    }
    Lanes::sums(sums, out);
}

template <class Lanes, class T>
void box_sums_planar(const Box<T>& box, std::size_t channels, float* sums) {
    constexpr int kChannels = Lanes::kChannels;
    const auto first = [&](std::size_t c) { return box.first + static_cast<std::ptrdiff_t>(c) * box.channel_stride; };
    std::size_t c = 0;
    for (; c + kChannels <= channels; c += kChannels) planar_tile<Lanes, kChannels>(box, first(c), sums + c);
    for (; c < channels; ++c) planar_tile<Lanes, 1>(box, first(c), sums + c);
}

// Sixteen channels side by side: `lanes[l]` is lane l of the defined sum for each of them.
template <class Lanes, class T>
void box_sums_interleaved(const Box<T>& box, std::size_t channels, float* sums) {
    for (std::size_t c = 0; c < channels; c += kLanes) {
        const std::size_t count = at_most(channels - c, kLanes);
        Lanes lanes[kLanes];
        for (auto& lane : lanes) lane = Lanes::zero();
        for (std::size_t l = 0; l < at_most(box.width, kLanes); ++l) {
            Lanes lane = Lanes::zero();
            for (std::size_t y = 0; y < box.height; ++y) {
                const T* row = box.first + static_cast<std::ptrdiff_t>(y) * box.row_stride + c;
                for (std::size_t x = l; x < box.width; x += kLanes) {
                    lane = add(lane, Lanes::load(row + static_cast<std::ptrdiff_t>(x) * box.cell_stride, count));
                }
            }
            lanes[l] = lane;
        }
        for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
            for (std::size_t l = 0; l < half; ++l) lanes[l] = add(lanes[l], lanes[l + half]);
        }
        lanes[0].store(sums + c, count);
    }
}

template <class Lanes>
void add_rows(const float* const* rows, std::size_t rows_size, std::size_t dims, float* sums) {
    for (std::size_t e = 0; e < dims; e += kLanes) {
        const std::size_t count = at_most(dims - e, kLanes);
        Lanes sum = Lanes::load(sums + e, count);
        for (std::size_t r = 0; r < rows_size; ++r) sum = add(sum, Lanes::load(rows[r] + e, count));
        sum.store(sums + e, count);
    }
}

template <class Lanes, class T>
constexpr BoxSums<T> box_sums() {
    return {box_sums_planar<Lanes, T>, box_sums_interleaved<Lanes, T>};
}

template <class Lanes, class Codes>
constexpr Kernels table(decltype(Kernels::scores) scores = plain_scores<Lanes>,
                        decltype(Kernels::products) code_products = products<Codes>,
                        decltype(Kernels::round_queries) round_queries = nullptr,
                        decltype(Kernels::reaching_rounded) reaching_rounded = nullptr,
                        decltype(Kernels::lows_rounded) lows_rounded = nullptr) {
    return {.scores = scores,
            .pair_scores = pair_scores<Lanes>,
            .products = code_products,
            .cheap_products = Codes::kCheap,
            .sort_few = sort_few,
            .candidates = candidates<Lanes>,
            .reaching = reaching<Lanes>,
            .round_queries = round_queries,
            .reaching_rounded = reaching_rounded,
            .lows_rounded = lows_rounded,
            .magnitude = magnitude<Lanes>,
            .round = round_row<Lanes>,
            .widen_float16 = widen<Lanes, Float16>,
            .widen_bfloat16 = widen<Lanes, Bfloat16>,
            .widen_codes = widen_codes<Lanes>,
            .box_sums_float32 = box_sums<Lanes, float>(),
            .box_sums_float16 = box_sums<Lanes, Float16>(),
            .add_rows = add_rows<Lanes>};
}

}  // namespace
}  // namespace nlvr
