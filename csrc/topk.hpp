// Exact top-k by inner product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "allowed.hpp"
#include "storage.hpp"
#include "views.hpp"

namespace nlvr {

struct TopK {
    AdjacentRows<float> queries;
    StoredRows tracks;
    const CodeRows* screen;  // of the same rows, close to them, or null
    Allowed allowed;
    std::size_t k;  // 1 … tracks.size(), unless there are no tracks
    std::optional<std::size_t> threads;
    std::int64_t* ids;     // [queries, k], as is
    float* scores;         // this
    std::int64_t* scored;  // [queries], or null: how many of a query's scores were computed
};

// Track rows are numbered in 32 bits, one of which numbers means none.
inline constexpr std::size_t kMostTracks = 0xFFFFFFFFu;

// The first pair, by query and then by track, whose score is not a number. Where there is one, ids and scores are void.
struct NotANumber {
    std::size_t query, track;
    auto operator<=>(const NotANumber&) const = default;
};
std::optional<NotANumber> topk(const TopK& problem);

}  // namespace nlvr
