// Some of the tracks that are ranked, as many as fit the cache beside a group of queries.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "allowed.hpp"
#include "quantization.hpp"
#include "topk.hpp"

namespace nlvr {

struct Range {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
};

// The floats of its tracks and their codes, each made when asked for.
class TrackBlock {
   public:
    explicit TrackBlock(const TopK& problem);

    // Takes tracks from the front of `range`. False when there are none.
    bool fill(Range& range, const AllowedRows& allowed);

    std::size_t dims() const { return tracks_.columns(); }
    std::size_t capacity() const { return capacity_; }
    std::size_t size() const { return size_; }
    std::span<const std::uint32_t> ids() const { return std::span(ids_).first(size_); }
    bool has_codes() const { return stored_ != nullptr; }
    // Whether floats stay where they lie, and nobody needs them before they are scored.
    bool floats_are_away() const { return has_codes() && lends(); }

    const float* row(std::size_t i) { return has_rows_ ? rows_[i] : floats(i); }
    const float* const* rows() {
        for (std::size_t i = 0; i < size_ && !has_rows_; ++i) rows_[i] = floats(i);
        has_rows_ = true;
        return rows_.data();
    }
    // As rows(), and behind them those of the next block that lie where they stay: to be fetched meanwhile.
    std::span<const float* const> rows_and_later();
    CodeBlock codes();

   private:
    // Whether floats are lent where they lie, and not put together.
    bool lends() const { return tracks_.buffer_size(1) == 0; }
    const float* floats(std::size_t i) { return tracks_.row(ids_[i], floats_.data() + tracks_.buffer_size(i)); }
    CodeScale stored_codes(std::size_t i);
    CodeScale new_codes(std::size_t i);

    const StoredRows& tracks_;
    const CodeRows* stored_;
    bool own_;          // the codes are the tracks
    bool lends_codes_;  // of tracks that follow each other they need not be gathered
    Quantizer quantizer_;
    std::size_t capacity_, size_ = 0;
    std::vector<float> floats_, scales_, norms_, errors_;
    std::vector<std::int8_t> codes_;
    std::vector<std::uint32_t> ids_;  // of the tracks, and of the first of the next block
    std::vector<const float*> rows_;
    bool has_rows_ = false;  // of this block
    std::vector<const std::int8_t*> code_rows_;
};

}  // namespace nlvr
