// The k best of a stream of scores, apart from how they were computed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "kernels.hpp"

namespace nlvr {

inline float score_of(Candidate candidate) {
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
    // `rows`: how many will be offered at most, `batch` of them at once. With k near the rows everything is kept and
    // nothing is ever weeded.
    Reservoir(std::size_t k, std::size_t rows, std::size_t batch);

    // A score at or below it is not taken. Not a number until there is one, so that nothing compares as below it. First
    // weeds what has gathered.
    float floor() {
        if (size_ >= most_) weed();
        return floor_;
    }

    void offer(const float* scores, const std::uint32_t* rows, std::size_t size) {
        const float least = floor();
        size_ += isa_.candidates(scores, rows, size, least, kept_.get() + size_);
    }

    // The best, in order.
    std::span<const Candidate> finish();

   private:
    void weed();

    const Kernels& isa_;
    std::size_t k_, most_, size_ = 0;
    std::unique_ptr<Candidate[]> kept_;
    float floor_ = std::numeric_limits<float>::quiet_NaN();
    bool by_row_ = true;
};

// The first row whose score was not a number, of candidates in order.
std::optional<std::uint32_t> not_a_number(std::span<const Candidate> best);

}  // namespace nlvr
