// The k best of a stream of scores, apart from how they were computed.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace nlvr {

// A score and its row in one integer: the smaller is the better, by score descending, then row ascending.
using Candidate = std::uint64_t;

inline Candidate candidate(float score, std::uint32_t row) {
    constexpr std::uint32_t kSign = 0x80000000u;
    const auto bits = std::bit_cast<std::uint32_t>(score);
    const std::uint32_t descending = bits & kSign ? bits : ~(bits | kSign);
    return Candidate{descending} << 32 | row;
}
inline float score_of(Candidate candidate) {
    constexpr std::uint32_t kSign = 0x80000000u;
    const auto descending = static_cast<std::uint32_t>(candidate >> 32);
    return std::bit_cast<float>(descending & kSign ? descending : ~descending & ~kSign);
}
inline std::uint32_t row_of(Candidate candidate) { return static_cast<std::uint32_t>(candidate); }

// Moves the best `k` to the front, in any order.
void select_best(std::span<Candidate> candidates, std::size_t k);

// Sorts the best `k` (or all there are) to the front and returns how many that is. `by_row`: the candidates already
// stand in the order of their rows.
std::size_t sort_best(std::span<Candidate> candidates, std::size_t k, bool by_row);

// Keeps what may still be among the k best. Rows are offered in ascending order, so a later row never wins a tie and
// only a score above the floor gets in.
class Reservoir {
   public:
    // `rows`: how many will be offered at most. With k near it everything is kept and nothing is ever weeded.
    Reservoir(std::size_t k, std::size_t rows);

    // A score at or below it is not taken. Not a number until there is one, so that nothing compares as below it.
    float floor() const { return floor_; }

    void offer(float score, std::uint32_t row) {
        if (score <= floor_) return;
        if (std::isnan(score)) {
            if (not_a_number_ == kNone) not_a_number_ = row;
            return;
        }
        if (kept_.size() == capacity_) weed();
        kept_.push_back(candidate(score, row));
    }

    // The best, in order.
    std::span<const Candidate> finish();

    // The first row whose score was not a number, or kNone.
    static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
    std::uint32_t not_a_number() const { return not_a_number_; }

   private:
    void weed();

    std::size_t k_, capacity_;
    std::vector<Candidate> kept_;
    float floor_ = std::numeric_limits<float>::quiet_NaN();
    std::uint32_t not_a_number_ = kNone;
    bool by_row_ = true;
};

}  // namespace nlvr
