// Which of a block's tracks can still win a place, by bounds on their scores that cost less than the scores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "track_block.hpp"

namespace nlvr {

// For each query of a group some places in a block, in order.
class Places {
   public:
    Places(std::size_t queries, std::size_t tracks) : stride_(tracks), all_(queries * tracks), sizes_(queries) {}

    std::span<const std::uint32_t> of(std::size_t query) const {
        return std::span(all_).subspan(query * stride_, sizes_[query]);
    }

    // Query i's begin at all() + i * stride().
    std::uint32_t* all() { return all_.data(); }
    std::size_t stride() const { return stride_; }
    std::uint32_t* sizes() { return sizes_.data(); }

   private:
    std::size_t stride_;
    std::vector<std::uint32_t> all_, sizes_;
};

class Screen {
   public:
    virtual ~Screen() = default;

    // How many of the first tracks to look at before any is scored, for floors to begin with; and a block of them.
    virtual std::size_t looks_at() const { return 0; }
    virtual void look(TrackBlock& /*block*/) {}

    // The tracks of a block whose score may lie above the query's floor or be no number. floors: one for each query,
    // less than infinity, or not a number, which nothing lies below. What is found stays until the next call.
    virtual const Places& find(TrackBlock& block, const float* floors) = 0;
};

// What is worth it for these queries, so many tracks and k; null where scores cost no more.
std::unique_ptr<Screen> make_screen(std::span<const float* const> queries, const TrackBlock& block, std::size_t tracks,
                                    std::size_t k);

}  // namespace nlvr
