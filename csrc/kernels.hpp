// The arithmetic of every kernel: one table of functions for each instruction set, all giving the same bits.
//
// These functions own no threads and no memory, and their translation units use neither the STL nor mutable statics:
// a shared inline function compiled for AVX-512 could otherwise be the copy the linker keeps for every CPU.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nlvr {

// Sums run in 16 float32 lanes; a wider or narrower register holds a part or a multiple of them, never another split.
inline constexpr std::size_t kLanes = 16;

// The bits of a number in 16 bits: IEEE half precision, and the upper half of a float32.
struct Float16 {
    std::uint16_t bits;
};
struct Bfloat16 {
    std::uint16_t bits;
};

// The cells of one box in one map. Strides count elements.
template <class T>
struct Box {
    const T* first;
    std::ptrdiff_t channel_stride;
    std::ptrdiff_t row_stride;
    std::ptrdiff_t cell_stride;
    std::size_t width;
    std::size_t height;
};

// sums[c] = sum of channel c over the box: the cell in column x of the box goes into lane x mod 16, row after row and
// left to right; then the lanes fold as in `scores`. `planar` needs cell_stride 1, `interleaved` channel_stride 1.
template <class T>
struct BoxSums {
    void (*planar)(const Box<T>& box, std::size_t channels, float* sums);
    void (*interleaved)(const Box<T>& box, std::size_t channels, float* sums);
};

// The sum of a row's squares, which is not finite where a number of the row is not, and else its largest magnitude.
struct Magnitude {
    float largest, squares;
};

// Rows of int8 codes beside each other, one array for each of their numbers: the row that the codes stand for is
// scale * codes + r with |r| <= error, and its own length is at most norm.
struct CodeBlock {
    const std::int8_t* const* codes;
    const float* scales;
    const float* norms;
    const float* errors;
};

// The most numbers of a row that is screened: the product of its codes, raised to 0 … 255 on one side as it may be, is
// exact in 32 bits, and roundings are few beside what is rounded.
constexpr std::size_t kMostScreenedDims = 1 << 16;

// A query's bound: a row's score is at most product * (row scale * scale) + row norm * norm + row error * error +
// least.
struct Reach {
    float scale, norm, error, least;
};

// What is as long could have an infinite score: from here on, nothing is said of a row.
inline constexpr float kMostLength = 0x1p63f;

// A row of a tile of bfloat16 numbers, which sixteen such rows make.
inline constexpr std::size_t kTileNumbers = 32;
struct alignas(64) TileRow {
    Bfloat16 numbers[kTileNumbers];
};

// Rows of tiles that hold `rows` rows of numbers.
constexpr std::size_t tile_rows(std::size_t rows, std::size_t dims) {
    return (rows + kLanes - 1) / kLanes * kLanes * ((dims + kTileNumbers - 1) / kTileNumbers);
}

// Queries rounded to bfloat16, in tiles of sixteen queries by kTileNumbers numbers: of a tile, number e of query i
// stands in row e / 2 at 2 * i + e mod 2, zeros fill it up, and the tiles of the same queries follow each other. A
// track's score differs from the product by less than length * slope + least, product: of the rounded rows, however it
// is summed up, with zero for what is below the normal range; length: the root of its squares as float32 sums them up,
// infinite from kMostLength on.
struct RoundedQueries {
    std::size_t size, dims;
    const TileRow* tiles;
    const float* slopes;
    const float* leasts;
};

// So many lower bounds are kept of each query: of more places the cost would be more than what it spares.
inline constexpr std::size_t kMostLows = 16;

// A score and its row in one integer: the smaller is the better, by score descending, then row ascending; and before
// all of them what is no number, so that the best shows whether there is one. Made by `candidates`, read by
// selection.hpp.
using Candidate = std::uint64_t;
inline constexpr std::uint32_t kSign = 0x80000000u;

// Tracks are turned into the lanes 48 at a time at most, up to so many numbers of each; some room is for spacing.
inline constexpr std::size_t kMostTurnedDims = 1024,
                             kScratchFloats = kMostTurnedDims * 3 * kLanes + 2 * kLanes * kLanes;

// So many are sorted by counting, for each, how many are smaller: fastest where eight are compared at once.
constexpr std::size_t kFewValues = 48;

struct Kernels {
    // out[i * tracks_size + j] = <queries[i], tracks[j]>: element e goes into lane e mod 16 by fused multiply-add, in
    // the order of e; then lane i takes lane i + 8, i + 4, i + 2, i + 1; then +0 is added, so no score is -0. scratch:
    // room for kScratchFloats.
    void (*scores)(const float* const* queries, std::size_t queries_size, const float* const* tracks,
                   std::size_t tracks_size, std::size_t dims, float* out, float* scratch);

    // out[n] = <queries[n], tracks[n]>, the same sum.
    void (*pair_scores)(const float* const* queries, const float* const* tracks, std::size_t pairs, std::size_t dims,
                        float* out);

    // The product of codes for every query and track as in `scores`, exact in 32 bits up to kMostScreenedDims.
    void (*products)(const std::int8_t* const* queries, std::size_t queries_size, const std::int8_t* const* tracks,
                     std::size_t tracks_size, std::size_t dims, std::int32_t* out);

    // Whether such products cost so much less than scores that it pays to make codes of tracks that have none.
    bool cheap_products;

    // Sorts up to kFewValues different values.
    void (*sort_few)(std::uint64_t* values, std::size_t size);

    // The candidates in order whose score is not at or below the floor; returns how many. Not-a-number passes either
    // way.
    std::size_t (*candidates)(const float* scores, const std::uint32_t* rows, std::size_t size, float floor,
                              Candidate* out);
    // The places in order where the bound that a product of codes gives is not at or below the floor, in the same way.
    std::size_t (*reaching)(const std::int32_t* products, const CodeBlock& tracks, std::size_t size, const Reach& query,
                            float floor, std::uint32_t* places);

    // Rounds queries into such tiles, and gives each one's sum of squares and that of what rounding took, as float32
    // sums them up. Null where nothing multiplies such numbers faster, as the next two.
    void (*round_queries)(const float* const* rows, std::size_t size, std::size_t dims, TileRow* tiles, float* squares,
                          float* rest_squares);

    // For each query the places in order of the tracks where the greatest score there can be is not at or below the
    // query's floor, in the same way: they begin at places[query * places_stride], and sizes[query], at first 0, counts
    // them. There are tracks_there of them, of which those from tracks_size on are only fetched. scratch: room for
    // sixteen rounded tracks.
    void (*reaching_rounded)(const RoundedQueries& queries, const float* floors, const float* const* tracks,
                             std::size_t tracks_size, std::size_t tracks_there, TileRow* scratch, std::uint32_t* places,
                             std::size_t places_stride, std::uint32_t* sizes);

    // Keeps of each query the kMostLows greatest of the least scores there can be, in order: number p of query 16 g + i
    // stands at lows[(g * kMostLows + p) * 16 + i]. The rest as above.
    void (*lows_rounded)(const RoundedQueries& queries, const float* const* tracks, std::size_t tracks_size,
                         std::size_t tracks_there, TileRow* scratch, float* lows);

    // later: a row of which a half is to be fetched meanwhile, and where many rows are rounded in turn the other half
    // by `round`: in even steps, for a CPU waits where more is asked for than it can keep in mind.
    Magnitude (*magnitude)(const float* row, std::size_t dims, const float* later);
    // codes[e] = row[e] * factor rounded to nearest even; the caller sees to it that it fits. later: as above.
    void (*round)(const float* row, std::size_t dims, float factor, std::int8_t* codes, const float* later);

    // to[e] = the number from[e] in float32; of codes its float32 product with the scale.
    void (*widen_float16)(const Float16* from, std::size_t size, float* to);
    void (*widen_bfloat16)(const Bfloat16* from, std::size_t size, float* to);
    void (*widen_codes)(const std::int8_t* from, std::size_t size, float scale, float* to);

    BoxSums<float> box_sums_float32;
    BoxSums<Float16> box_sums_float16;

    // sums[e] takes rows[0][e], rows[1][e], … in that order.
    void (*add_rows)(const float* const* rows, std::size_t rows_size, std::size_t dims, float* sums);
};

namespace scalar {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace avx512 {
extern const Kernels kKernels;
}
namespace avx512vnni {
extern const Kernels kKernels;
}
namespace amx {
extern const Kernels kKernels;
}
namespace neon {
extern const Kernels kKernels;
}

}  // namespace nlvr
