// Means over the cells of boxes: masked pooling of features and mask ratios.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "views.hpp"

namespace nlvr {

// Float maps [frames, channels, height, width]; a mask has one channel. Strides count bytes.
struct Maps {
    const std::byte* data;
    std::size_t frames, channels, height, width;
    std::ptrdiff_t frame_stride, channel_stride, row_stride, cell_stride;
};

// [N, 5]: frame, x0, y0, x1, y1; half-open.
using Cells = Matrix<std::int32_t>;

struct BadBox {
    enum class Fault { kEmpty, kOutside } fault;
    std::size_t row;
};
// The first box that is empty or leaves its map.
std::optional<BadBox> first_bad_box(const Maps& maps, const Cells& cells);

// means[n, c] = sum of channel c over box n / its cells (SBNet eq. 6; with one channel eq. 19). The boxes must be good.
void box_means(const Maps& maps, const Cells& cells, std::optional<std::size_t> threads, float* means);

}  // namespace nlvr
