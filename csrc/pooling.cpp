#include "pooling.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "isa.hpp"
#include "pool.hpp"

namespace nlvr {
namespace {

struct Place {
    std::ptrdiff_t frame, x0, y0, x1, y1;

    explicit Place(const Vector<std::int32_t>& row) : frame(row[0]), x0(row[1]), y0(row[2]), x1(row[3]), y1(row[4]) {}
    std::size_t width() const { return static_cast<std::size_t>(x1 - x0); }
    std::size_t height() const { return static_cast<std::size_t>(y1 - y0); }
    std::size_t area() const { return width() * height(); }
};

template <class T>
const std::byte* first_cell(const Maps<T>& maps, const Place& place, std::size_t channel) {
    return maps.data + place.frame * maps.frame_stride + static_cast<std::ptrdiff_t>(channel) * maps.channel_stride +
           place.y0 * maps.row_stride + place.x0 * maps.cell_stride;
}

template <class T>
bool whole_elements(const Maps<T>& maps) {
    return aligned<T>(maps.data) && whole_stride<T>(maps.frame_stride) && whole_stride<T>(maps.channel_stride) &&
           whole_stride<T>(maps.row_stride) && whole_stride<T>(maps.cell_stride);
}

template <class T>
const BoxSums<T>& box_sums();
template <>
const BoxSums<float>& box_sums() {
    return kernels().box_sums_float32;
}
template <>
const BoxSums<Float16>& box_sums() {
    return kernels().box_sums_float16;
}

// Means of channels [begin, end) of one box, from wherever they lie.
template <class T>
class BoxMeans {
   public:
    explicit BoxMeans(const Maps<T>& maps)
        : maps_(maps),
          planar_(whole_elements(maps) && (maps.cell_stride == kSize || maps.width == 1)),
          interleaved_(whole_elements(maps) && (maps.channel_stride == kSize || maps.channels == 1)) {}

    void operator()(const Place& place, std::size_t begin, std::size_t end, float* means) {
        if (planar_ || interleaved_) {
            const Box<T> box{reinterpret_cast<const T*>(first_cell(maps_, place, begin)),
                             maps_.channel_stride / kSize,
                             maps_.row_stride / kSize,
                             maps_.cell_stride / kSize,
                             place.width(),
                             place.height()};
            (planar_ ? sums_.planar : sums_.interleaved)(box, end - begin, means);
        } else {
            for (std::size_t c = begin; c < end; ++c) gathered(place, c, means + (c - begin));
        }
        const auto count = static_cast<float>(place.area());
        for (std::size_t c = 0; c < end - begin; ++c) means[c] /= count;
    }

    // Asks for a mask's cells before their turn: they lie far from the last ones, and each box would wait for memory.
    // Inlined, for GCC drops calls of functions that do nothing but ask.
    [[gnu::always_inline]] void fetch(const Place& place) const {
        const std::byte* first = first_cell(maps_, place, 0);
        const std::ptrdiff_t last = (place.x1 - place.x0 - 1) * kSize;
        for (std::ptrdiff_t y = 0; y < place.y1 - place.y0; ++y) {
            __builtin_prefetch(first + y * maps_.row_stride);
            __builtin_prefetch(first + y * maps_.row_stride + last);
        }
    }

    bool are_masks() const { return maps_.channels == 1 && planar_; }

   private:
    static constexpr auto kSize = static_cast<std::ptrdiff_t>(sizeof(T));

    void gathered(const Place& place, std::size_t channel, float* sum) {
        const std::size_t width = place.width(), height = place.height();
        const Matrix<T> cells{first_cell(maps_, place, channel), height, width, maps_.row_stride, maps_.cell_stride};
        buffer_.resize(width * height);
        for (std::size_t y = 0; y < height; ++y) {
            const Vector<T> row = cells.row(y);
            for (std::size_t x = 0; x < width; ++x) buffer_[y * width + x] = row[x];
        }
        sums_.planar({buffer_.data(), 0, static_cast<std::ptrdiff_t>(width), 1, width, height}, 1, sum);
    }

    const BoxSums<T>& sums_ = box_sums<T>();
    const Maps<T>& maps_;
    bool planar_, interleaved_;
    std::vector<T> buffer_;
};

// The cells of all boxes, and some more for what each box costs by itself.
double work_of(const Cells& cells, std::size_t channels) {
    double sum = 16 * static_cast<double>(cells.rows);
    for (std::size_t n = 0; n < cells.rows; ++n) sum += static_cast<double>(Place(cells.row(n)).area());
    return sum * static_cast<double>(channels);
}

std::size_t set_bits(const BitMasks& masks, const Place& place) {
    std::size_t count = 0;
    const auto first = static_cast<std::size_t>(place.x0) / 8, last = static_cast<std::size_t>(place.x1 - 1) / 8;
    const auto first_bits = static_cast<unsigned>(0xFF << (place.x0 % 8)) & 0xFFu;
    const auto last_bits = 0xFFu >> (7 - (place.x1 - 1) % 8);
    for (std::ptrdiff_t y = place.y0; y < place.y1; ++y) {
        const Vector<std::uint8_t> row{masks.data + place.frame * masks.frame_stride + y * masks.row_stride,
                                       masks.row_bytes, masks.byte_stride};
        for (std::size_t byte = first; byte <= last; ++byte) {
            unsigned bits = row[byte];
            if (byte == first) bits &= first_bits;
            if (byte == last) bits &= last_bits;
            count += static_cast<std::size_t>(std::popcount(bits));
        }
    }
    return count;
}

}  // namespace

std::optional<BadBox> first_bad_box(std::size_t frames, std::size_t height, std::size_t width, const Cells& cells) {
    for (std::size_t n = 0; n < cells.rows; ++n) {
        const Place place(cells.row(n));
        if (place.x0 >= place.x1 || place.y0 >= place.y1) return BadBox{BadBox::Fault::kEmpty, n};
        if (place.frame < 0 || place.frame >= static_cast<std::ptrdiff_t>(frames) || place.x0 < 0 ||
            place.x1 > static_cast<std::ptrdiff_t>(width) || place.y0 < 0 ||
            place.y1 > static_cast<std::ptrdiff_t>(height)) {
            return BadBox{BadBox::Fault::kOutside, n};
        }
    }
    return std::nullopt;
}

template <class T>
void box_means(const Maps<T>& maps, const Cells& cells, std::optional<std::size_t> threads, float* means) {
    // A unit of work is one box and some of its channels, so that a few boxes of many channels split as well.
    constexpr std::size_t kChannels = 256, kAhead = 8;
    if (maps.channels == 0) return;
    const std::size_t slices = (maps.channels + kChannels - 1) / kChannels;
    const std::size_t count = threads_for(threads, work_of(cells, maps.channels));
    parallel_ranges(cells.rows * slices, count, [&](std::size_t first, std::size_t last) {
        BoxMeans<T> box_mean(maps);
        const bool masks = box_mean.are_masks();
        for (std::size_t unit = first; unit < last; ++unit) {
            const std::size_t n = unit / slices, begin = unit % slices * kChannels;
            if (masks && n + kAhead < cells.rows) box_mean.fetch(Place(cells.row(n + kAhead)));
            box_mean(Place(cells.row(n)), begin, std::min(begin + kChannels, maps.channels),
                     means + n * maps.channels + begin);
        }
    });
}

template <class T>
void unit_box_means(const Maps<T>& maps, const Cells& cells, const Vector<std::int64_t>& offsets,
                    std::optional<std::size_t> threads, float* means) {
    const std::size_t channels = maps.channels, count = threads_for(threads, work_of(cells, channels));
    parallel_ranges(offsets.size - 1, count, [&](std::size_t first, std::size_t last) {
        const Kernels& isa = kernels();
        BoxMeans<T> box_mean(maps);
        std::vector<float> unit(channels);
        const float* const row = unit.data();
        for (std::size_t s = first; s < last; ++s) {
            const auto begin = static_cast<std::size_t>(offsets[s]), end = static_cast<std::size_t>(offsets[s + 1]);
            float* mean = means + s * channels;
            std::fill_n(mean, channels, 0.0f);
            for (std::size_t n = begin; n < end; ++n) {
                box_mean(Place(cells.row(n)), 0, channels, unit.data());
                float squares = 0;
                isa.pair_scores(&row, &row, 1, channels, &squares);
                const float length = std::sqrt(squares);
                if (length != 0.0f) {
                    for (float& value : unit) value /= length;
                }
                isa.add_rows(&row, 1, channels, mean);
            }
            for (std::size_t c = 0; c < channels; ++c) mean[c] /= static_cast<float>(end - begin);
        }
    });
}

void bit_ratios(const BitMasks& masks, const Cells& cells, std::optional<std::size_t> threads, float* ratios) {
    parallel_ranges(cells.rows, threads_for(threads, work_of(cells, 1)), [&](std::size_t first, std::size_t last) {
        for (std::size_t n = first; n < last; ++n) {
            const Place place(cells.row(n));
            ratios[n] = static_cast<float>(set_bits(masks, place)) / static_cast<float>(place.area());
        }
    });
}

template void box_means(const Maps<float>&, const Cells&, std::optional<std::size_t>, float*);
template void box_means(const Maps<Float16>&, const Cells&, std::optional<std::size_t>, float*);
template void unit_box_means(const Maps<float>&, const Cells&, const Vector<std::int64_t>&, std::optional<std::size_t>,
                             float*);
template void unit_box_means(const Maps<Float16>&, const Cells&, const Vector<std::int64_t>&,
                             std::optional<std::size_t>, float*);

}  // namespace nlvr
