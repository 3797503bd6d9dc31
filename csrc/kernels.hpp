// The arithmetic of every kernel: one table of functions for each instruction set, all giving the same bits.
//
// These functions own no threads and no memory, and their translation units use neither the STL nor mutable statics:
// a shared inline function compiled for AVX-512 could otherwise be the copy the linker keeps for every CPU.
#pragma once

#include <cstddef>

namespace nlvr {

// Sums run in 16 float32 lanes; a wider or narrower register holds a part or a multiple of them, never another split.
inline constexpr std::size_t kLanes = 16;

// The cells of one box in one map. Strides count floats.
struct Box {
    const float* first;
    std::ptrdiff_t channel_stride;
    std::ptrdiff_t row_stride;
    std::ptrdiff_t cell_stride;
    std::size_t width;
    std::size_t height;
};

struct Kernels {
    // out[i * tracks_size + j] = <queries[i], tracks[j]>: element e goes into lane e mod 16 by fused multiply-add, in
    // the order of e; then lane i takes lane i + 8, i + 4, i + 2, i + 1; then +0 is added, so no score is -0.
    void (*scores)(const float* const* queries, std::size_t queries_size, const float* const* tracks,
                   std::size_t tracks_size, std::size_t dims, float* out);

    // sums[c] = sum of channel c over the box: the cell in column x of the box goes into lane x mod 16, row after row
    // and left to right; then the same tree as above. The first needs cell_stride 1, the second channel_stride 1.
    void (*box_sums_planar)(const Box& box, std::size_t channels, float* sums);
    void (*box_sums_interleaved)(const Box& box, std::size_t channels, float* sums);

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

}  // namespace nlvr
