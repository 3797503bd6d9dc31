#include "pooling.hpp"

#include <algorithm>
#include <vector>

#include "isa.hpp"
#include "pool.hpp"

namespace nlvr {
namespace {

constexpr auto kFloat = static_cast<std::ptrdiff_t>(sizeof(float));

struct Place {
    std::ptrdiff_t frame, x0, y0, x1, y1;

    explicit Place(const Vector<std::int32_t>& row) : frame(row[0]), x0(row[1]), y0(row[2]), x1(row[3]), y1(row[4]) {}
    std::size_t width() const { return static_cast<std::size_t>(x1 - x0); }
    std::size_t height() const { return static_cast<std::size_t>(y1 - y0); }
};

const std::byte* first_cell(const Maps& maps, const Place& place, std::size_t channel) {
    return maps.data + place.frame * maps.frame_stride + static_cast<std::ptrdiff_t>(channel) * maps.channel_stride +
           place.y0 * maps.row_stride + place.x0 * maps.cell_stride;
}

bool floats(const Maps& maps) {
    return float_aligned(maps.data) && float_stride(maps.frame_stride) && float_stride(maps.channel_stride) &&
           float_stride(maps.row_stride) && float_stride(maps.cell_stride);
}

// Sums channels [begin, end) of one box, from wherever they lie.
class BoxSums {
   public:
    explicit BoxSums(const Maps& maps)
        : maps_(maps),
          planar_(floats(maps) && (maps.cell_stride == kFloat || maps.width == 1)),
          interleaved_(floats(maps) && (maps.channel_stride == kFloat || maps.channels == 1)) {}

    void operator()(const Place& place, std::size_t begin, std::size_t end, float* sums) {
        if (planar_ || interleaved_) {
            const Box box{reinterpret_cast<const float*>(first_cell(maps_, place, begin)),
                          maps_.channel_stride / kFloat,
                          maps_.row_stride / kFloat,
                          maps_.cell_stride / kFloat,
                          place.width(),
                          place.height()};
            (planar_ ? isa_.box_sums_planar : isa_.box_sums_interleaved)(box, end - begin, sums);
        } else {
            for (std::size_t c = begin; c < end; ++c) gathered(place, c, sums + (c - begin));
        }
    }

   private:
    void gathered(const Place& place, std::size_t channel, float* sum) {
        const std::size_t width = place.width(), height = place.height();
        const Matrix<float> cells{first_cell(maps_, place, channel), height, width, maps_.row_stride,
                                  maps_.cell_stride};
        buffer_.resize(width * height);
        for (std::size_t y = 0; y < height; ++y) {
            const Vector<float> row = cells.row(y);
            for (std::size_t x = 0; x < width; ++x) buffer_[y * width + x] = row[x];
        }
        isa_.box_sums_planar({buffer_.data(), 0, static_cast<std::ptrdiff_t>(width), 1, width, height}, 1, sum);
    }

    const Kernels& isa_ = kernels();
    const Maps& maps_;
    bool planar_, interleaved_;
    std::vector<float> buffer_;
};

double cells_of(const Cells& cells) {
    double sum = 0;
    for (std::size_t n = 0; n < cells.rows; ++n) {
        const Place place(cells.row(n));
        sum += static_cast<double>(place.width()) * static_cast<double>(place.height());
    }
    return sum;
}

}  // namespace

std::optional<BadBox> first_bad_box(const Maps& maps, const Cells& cells) {
    const auto frames = static_cast<std::ptrdiff_t>(maps.frames), width = static_cast<std::ptrdiff_t>(maps.width),
               height = static_cast<std::ptrdiff_t>(maps.height);
    for (std::size_t n = 0; n < cells.rows; ++n) {
        const Place place(cells.row(n));
        if (place.x0 >= place.x1 || place.y0 >= place.y1) return BadBox{BadBox::Fault::kEmpty, n};
        if (place.frame < 0 || place.frame >= frames || place.x0 < 0 || place.x1 > width || place.y0 < 0 ||
            place.y1 > height) {
            return BadBox{BadBox::Fault::kOutside, n};
        }
    }
    return std::nullopt;
}

void box_means(const Maps& maps, const Cells& cells, std::optional<std::size_t> threads, float* means) {
    // A unit of work is one box and some of its channels, so that a few boxes of many channels split as well.
    constexpr std::size_t kChannels = 256;
    if (maps.channels == 0) return;
    const std::size_t slices = (maps.channels + kChannels - 1) / kChannels;
    const double work = (cells_of(cells) + static_cast<double>(16 * cells.rows)) * static_cast<double>(maps.channels);
    parallel_ranges(cells.rows * slices, threads_for(threads, work), [&](std::size_t first, std::size_t last) {
        BoxSums sums(maps);
        for (std::size_t unit = first; unit < last; ++unit) {
            const std::size_t n = unit / slices, begin = unit % slices * kChannels;
            const std::size_t end = std::min(begin + kChannels, maps.channels);
            const Place place(cells.row(n));
            const auto count = static_cast<float>(place.width() * place.height());
            float* out = means + n * maps.channels;
            sums(place, begin, end, out + begin);
            for (std::size_t c = begin; c < end; ++c) out[c] /= count;
        }
    });
}

}  // namespace nlvr
