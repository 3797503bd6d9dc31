// Exact top-k by inner product.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "views.hpp"

namespace nlvr {

// Which track rows count: all, one flag a row, or one bit a row (bit r mod 8 of byte r / 8).
struct Allowed {
    enum class Form { kAll, kFlags, kBits } form = Form::kAll;
    Vector<std::uint8_t> values;

    bool operator()(std::size_t row) const {
        switch (form) {
            case Form::kFlags:
                return values[row] != 0;
            case Form::kBits:
                return (values[row / 8] >> (row % 8) & 1) != 0;
            case Form::kAll:
                break;
        }
        return true;
    }
};

struct TopK {
    FloatRows queries, tracks;
    Allowed allowed;
    std::size_t k;  // 1 … tracks.size(), unless there are no tracks
    std::optional<std::size_t> threads;
    std::int64_t* ids;  // [queries, k], as is
    float* scores;      // this
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
