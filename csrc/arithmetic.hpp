// The kernels of one instruction set, written over its `Lanes`: 16 float32 with
//   zero(), load(p), load(p, count) (the lanes from count on are 0), store(p), store(p, count),
//   add(a, b), multiply_add(a, b, c), and sums(lanes[N], out), which folds each of N sets of lanes by the one tree;
//   kQueries x kTracks, the tile of scores that fits its registers; kSingle, the tile's length for one query;
//   kChannels, how many channels of a box it sums side by side.
//
// Included by each kernels_<isa>.cpp alone. Everything is in an unnamed namespace, so no copy is shared between them.
#pragma once

#include "kernels.hpp"

namespace nlvr {
namespace {

inline std::size_t at_most(std::size_t value, std::size_t limit) { return value < limit ? value : limit; }

template <class Lanes, int Queries, int Tracks>
void score_tile(const float* const* queries, const float* const* tracks, std::size_t dims, float* out,
                std::size_t out_stride) {
    Lanes sums[Queries * Tracks];
    for (auto& sum : sums) sum = Lanes::zero();
    const auto step = [&](auto&& load) {
        Lanes track[Tracks];
#pragma GCC unroll 16
        for (int j = 0; j < Tracks; ++j) track[j] = load(tracks[j]);
#pragma GCC unroll 16
        for (int i = 0; i < Queries; ++i) {
            const Lanes query = load(queries[i]);
#pragma GCC unroll 16
            for (int j = 0; j < Tracks; ++j) {
                sums[i * Tracks + j] = multiply_add(query, track[j], sums[i * Tracks + j]);
            }
        }
    };
    const std::size_t whole = dims - dims % kLanes;
    for (std::size_t e = 0; e < whole; e += kLanes) step([e](const float* row) { return Lanes::load(row + e); });
    if (whole < dims) {
        step([whole, dims](const float* row) { return Lanes::load(row + whole, dims - whole); });
    }
    float tile[Queries * Tracks];
    Lanes::sums(sums, tile);
    for (int i = 0; i < Queries; ++i) {
        for (int j = 0; j < Tracks; ++j) {
            out[static_cast<std::size_t>(i) * out_stride + static_cast<std::size_t>(j)] = tile[i * Tracks + j] + 0.0f;
        }
    }
}

template <class Lanes, int Queries, int Tracks>
void score_strip(const float* const* queries, const float* const* tracks, std::size_t tracks_size, std::size_t dims,
                 float* out) {
    std::size_t j = 0;
    for (; j + Tracks <= tracks_size; j += Tracks) {
        score_tile<Lanes, Queries, Tracks>(queries, tracks + j, dims, out + j, tracks_size);
    }
    for (; j < tracks_size; ++j) score_tile<Lanes, Queries, 1>(queries, tracks + j, dims, out + j, tracks_size);
}

template <class Lanes>
void scores(const float* const* queries, std::size_t queries_size, const float* const* tracks, std::size_t tracks_size,
            std::size_t dims, float* out) {
    constexpr int kQueries = Lanes::kQueries;
    std::size_t i = 0;
    for (; i + kQueries <= queries_size; i += kQueries) {
        score_strip<Lanes, kQueries, Lanes::kTracks>(queries + i, tracks, tracks_size, dims, out + i * tracks_size);
    }
    for (; i < queries_size; ++i) {
        score_strip<Lanes, 1, Lanes::kSingle>(queries + i, tracks, tracks_size, dims, out + i * tracks_size);
    }
}

template <class Lanes, int Channels>
void planar_tile(const Box& box, const float* first, float* out) {
    Lanes sums[Channels];
    for (auto& sum : sums) sum = Lanes::zero();
    for (std::size_t y = 0; y < box.height; ++y) {
        const float* row = first + static_cast<std::ptrdiff_t>(y) * box.row_stride;
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

template <class Lanes>
void box_sums_planar(const Box& box, std::size_t channels, float* sums) {
    constexpr int kChannels = Lanes::kChannels;
    const auto first = [&](std::size_t c) { return box.first + static_cast<std::ptrdiff_t>(c) * box.channel_stride; };
    std::size_t c = 0;
    for (; c + kChannels <= channels; c += kChannels) planar_tile<Lanes, kChannels>(box, first(c), sums + c);
    for (; c < channels; ++c) planar_tile<Lanes, 1>(box, first(c), sums + c);
}

// Sixteen channels side by side: `lanes[l]` is lane l of the defined sum for each of them.
template <class Lanes>
void box_sums_interleaved(const Box& box, std::size_t channels, float* sums) {
    for (std::size_t c = 0; c < channels; c += kLanes) {
        const std::size_t count = at_most(channels - c, kLanes);
        Lanes lanes[kLanes];
        for (auto& lane : lanes) lane = Lanes::zero();
        for (std::size_t l = 0; l < at_most(box.width, kLanes); ++l) {
            Lanes lane = Lanes::zero();
            for (std::size_t y = 0; y < box.height; ++y) {
                const float* row = box.first + static_cast<std::ptrdiff_t>(y) * box.row_stride + c;
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

template <class Lanes>
constexpr Kernels table() {
    return {scores<Lanes>, box_sums_planar<Lanes>, box_sums_interleaved<Lanes>, add_rows<Lanes>};
}

}  // namespace
}  // namespace nlvr
