// Scores of many queries at once, by the one defined sum; included by kernels_<isa>.cpp and what they share alone:
// sixteen tracks lie in the lanes, and each lane of the sum is a pass of its own over every sixteenth element. A
// query's element is then one number that all lanes take, so nothing is loaded across a cache line, and the tree that
// folds the sum adds whole registers: no shuffles.
#pragma once

#include "arithmetic.hpp"

namespace nlvr {
namespace {

// To turn tracks costs as much as the scores of some queries.
constexpr std::size_t kLeastTurnedQueries = 12, kLeastTurnedTracks = 8;

// Tracks turned: in pass l, step s and group g stand element 16 · s + l of sixteen tracks.
template <class Lanes>
struct Turned {
    static constexpr std::size_t kGroups = Lanes::kTurnedGroups;
    static constexpr std::size_t kTracks = kGroups * kLanes;
    static_assert(kMostTurnedDims * kTracks + (kLanes + 1) * kLanes <= kScratchFloats);

    // Passes lie a cache line more apart than their size: by a power of two, all would fall into the same few places
    // of a cache.
    std::size_t steps, pass_size;
    float* elements;

    Turned(const float* const* tracks, std::size_t tracks_size, std::size_t dims, float* scratch)
        : steps((dims + kLanes - 1) / kLanes),
          pass_size((steps * kGroups + 1) * kLanes),
          elements(scratch + (-reinterpret_cast<std::uintptr_t>(scratch) / sizeof(float)) % kLanes) {
        for (std::size_t group = 0; group * kLanes < tracks_size; ++group) {
            for (std::size_t step = 0; step < steps; ++step) {
                const std::size_t from = kLanes * step, count = at_most(dims - from, kLanes);
                Lanes rows[kLanes];
                unrolled<kLanes>([&](auto n) {
                    // Those that are missing are the last one again.
                    const float* track = tracks[at_most(kLanes * group + n, tracks_size - 1)] + from;
                    rows[n] = count < kLanes ? Lanes::load(track, count) : Lanes::load(track);
                });
                Lanes::transpose(rows);
                unrolled<kLanes>([&](auto lane) {
                    rows[lane].store(elements + lane * pass_size + (step * kGroups + group) * kLanes, kLanes);
                });
            }
        }
    }
};

// One pass: its lane of the defined sum for every query and track, to which what waits at `levels` levels is added.
template <class Lanes, int Queries, int Groups>
[[gnu::noinline]] void turned_pass(const float* const* queries, const float* elements, std::size_t from,
                                   std::size_t dims, std::size_t levels, Lanes* waiting) {
    const float* numbers[Queries];
    Lanes sums[Queries * Groups];
    unrolled<Queries>([&](auto i) { numbers[i] = queries[i]; });
    unrolled<Queries * Groups>([&](auto n) { sums[n] = Lanes::zero(); });
    for (std::size_t e = from; e < dims; e += kLanes, elements += Turned<Lanes>::kTracks) {
        Lanes track[Groups];
        unrolled<Groups>([&](auto g) { track[g] = Lanes::load(elements + g * kLanes); });
        unrolled<Queries>([&](auto i) {
            const Lanes query = Lanes::set(numbers[i][e]);
            unrolled<Groups>(
                [&](auto g) { sums[i * Groups + g] = multiply_add(query, track[g], sums[i * Groups + g]); });
        });
    }
    for (; levels > 0; --levels, waiting += Queries * Groups) {
        unrolled<Queries * Groups>([&](auto n) { sums[n] = add(waiting[n], sums[n]); });
    }
    unrolled<Queries * Groups>([&](auto n) { waiting[n] = sums[n]; });
}

template <class Lanes, int Queries, int Groups>
void turned_tile(const float* const* queries, const Turned<Lanes>& tracks, std::size_t tracks_size, std::size_t dims,
                 float* out, std::size_t out_stride) {
    // The tree as it grows: what waits at a level is the sum of 2^level lanes, and the next such sum is added to it.
    constexpr std::size_t kLevels = 4, kPasses[kLanes] = {0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15};
    Lanes waiting[(kLevels + 1) * Queries * Groups];
    for (std::size_t turn = 0; turn < kLanes; ++turn) {
        const std::size_t pass = kPasses[turn];
        turned_pass<Lanes, Queries, Groups>(queries, tracks.elements + pass * tracks.pass_size, pass, dims,
                                            static_cast<std::size_t>(__builtin_ctzll(turn + 1)), waiting);
    }
    unrolled<Queries>([&](auto i) {
        unrolled<Groups>([&](auto g) {
            const std::size_t count = at_most(tracks_size - kLanes * g, kLanes);
            add(waiting[(kLevels * Queries + i) * Groups + g], Lanes::zero())
                .store(out + i * out_stride + kLanes * g, count);
        });
    });
}

// Tiles of so many queries, then of half as many, down to one.
template <class Lanes, int Groups, int Queries = Lanes::kTurnedQueries>
void turned_strip(const float* const* queries, std::size_t queries_size, const Turned<Lanes>& tracks,
                  std::size_t tracks_size, std::size_t dims, float* out, std::size_t out_stride) {
    std::size_t i = 0;
    for (; i + Queries <= queries_size; i += Queries) {
        turned_tile<Lanes, Queries, Groups>(queries + i, tracks, tracks_size, dims, out + i * out_stride, out_stride);
    }
    if constexpr (Queries > 1) {
        turned_strip<Lanes, Groups, Queries / 2>(queries + i, queries_size - i, tracks, tracks_size, dims,
                                                 out + i * out_stride, out_stride);
    }
}

template <class Lanes, int Groups = Lanes::kTurnedGroups>
auto turned_strip_of(std::size_t tracks_size) {
    if constexpr (Groups > 1) {
        if (tracks_size <= (Groups - 1) * kLanes) return turned_strip_of<Lanes, Groups - 1>(tracks_size);
    }
    return turned_strip<Lanes, Groups>;
}

template <class Lanes>
void turned_scores(const float* const* queries, std::size_t queries_size, const float* const* tracks,
                   std::size_t tracks_size, std::size_t dims, float* out, float* scratch) {
    if (queries_size < kLeastTurnedQueries || tracks_size < kLeastTurnedTracks || dims > kMostTurnedDims) {
        plain_scores<Lanes>(queries, queries_size, tracks, tracks_size, dims, out, scratch);
        return;
    }
    for (std::size_t j = 0; j < tracks_size; j += Turned<Lanes>::kTracks) {
        const std::size_t left = at_most(tracks_size - j, Turned<Lanes>::kTracks);
        const Turned<Lanes> turned(tracks + j, left, dims, scratch);
        turned_strip_of<Lanes>(left)(queries, queries_size, turned, left, dims, out + j, tracks_size);
    }
}

}  // namespace
}  // namespace nlvr
