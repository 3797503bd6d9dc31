// Means over the cells of boxes: masked pooling of features and mask ratios.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels.hpp"
#include "views.hpp"

namespace nlvr {

// Maps of T [frames, channels, height, width]; a mask has one channel. Strides count bytes.
template <class T>
struct Maps {
    const std::byte* data;
    std::size_t frames, channels, height, width;
    std::ptrdiff_t frame_stride, channel_stride, row_stride, cell_stride;
};

// Masks of one bit a cell: cell x is bit x mod 8 of byte x / 8 of its row.
struct BitMasks {
    const std::byte* data;
    std::size_t frames, height, row_bytes;
    std::ptrdiff_t frame_stride, row_stride, byte_stride;
};

// [N, 5]: frame, x0, y0, x1, y1; half-open.
using Cells = Matrix<std::int32_t>;

struct BadBox {
    enum class Fault { kEmpty, kOutside } fault;
    std::size_t row;
};
// The first box that is empty or leaves its map.
std::optional<BadBox> first_bad_box(std::size_t frames, std::size_t height, std::size_t width, const Cells& cells);

// The boxes must be good in all that follows; T is float or Float16.

// means[n, c] = sum of channel c over box n / its cells (SBNet eq. 6; with one channel eq. 19).
template <class T>
void box_means(const Maps<T>& maps, const Cells& cells, std::optional<std::size_t> threads, float* means);

// means[s] = mean over boxes offsets[s] to offsets[s + 1] - 1 of their means brought to length 1. A mean of length 0
// stays as it is.
template <class T>
void unit_box_means(const Maps<T>& maps, const Cells& cells, const Vector<std::int64_t>& offsets,
                    std::optional<std::size_t> threads, float* means);

// ratios[n] = the set cells of box n / its cells.
void bit_ratios(const BitMasks& masks, const Cells& cells, std::optional<std::size_t> threads, float* ratios);

}  // namespace nlvr
