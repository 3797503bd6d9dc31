#include "selection.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "isa.hpp"

namespace nlvr {
namespace {

constexpr std::size_t kBytes = sizeof(Candidate);
constexpr std::size_t kByteValues = 256;

std::size_t byte_of(Candidate candidate, std::size_t byte) { return (candidate >> (8 * byte)) & 0xFFu; }

// Stable, least significant byte first. Bytes below `first_byte` need no pass where they are in order already.
void radix_sort(std::span<Candidate> candidates, std::size_t first_byte) {
    std::array<std::array<std::size_t, kByteValues>, kBytes> counts{};
    for (const Candidate candidate : candidates) {
        for (std::size_t byte = first_byte; byte < kBytes; ++byte) ++counts[byte][byte_of(candidate, byte)];
    }
    std::vector<Candidate> other(candidates.size());
    std::span<Candidate> from = candidates, to = other;
    for (std::size_t byte = first_byte; byte < kBytes; ++byte) {
        auto& count = counts[byte];
        if (count[byte_of(from.front(), byte)] == from.size()) continue;
        std::size_t place = 0;
        for (std::size_t& value : count) place += std::exchange(value, place);
        for (const Candidate candidate : from) to[count[byte_of(candidate, byte)]++] = candidate;
        std::swap(from, to);
    }
    if (from.data() != candidates.data()) std::ranges::copy(from, candidates.begin());
}

// Moves those before the pivot to the front and returns how many they are. No branch depends on the order, for a wrong
// guess costs more than both of its ways.
std::size_t partition(std::span<Candidate> candidates, Candidate pivot) {
    std::size_t before = 0;
    for (Candidate& candidate : candidates) {
        const Candidate here = candidate;
        candidate = candidates[before];
        candidates[before] = here;
        before += here < pivot;
    }
    return before;
}

Candidate median(std::span<const Candidate> candidates) {
    const Candidate a = candidates.front(), b = candidates[candidates.size() / 2], c = candidates.back();
    return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

// Candidates are never equal, so either side of the median of three is shorter than the whole.
void quick_sort(std::span<Candidate> candidates) {
    while (candidates.size() > kFewValues) {
        const std::size_t before = partition(candidates, median(candidates));
        quick_sort(candidates.first(before));
        candidates = candidates.subspan(before);
    }
    kernels().sort_few(candidates.data(), candidates.size());
}

}  // namespace

void select_best(std::span<Candidate> candidates, std::size_t k) {
    while (candidates.size() > kFewValues && k < candidates.size()) {
        const std::size_t size = candidates.size(), before = partition(candidates, median(candidates));
        if (before > k) {
            candidates = candidates.first(before);
        } else {
            candidates = candidates.subspan(before);
            k -= before;
        }
        if (candidates.size() > size - size / 8) break;  // an order that the median of three does not suit
    }
    if (k >= candidates.size()) return;
    if (candidates.size() <= kFewValues) {
        kernels().sort_few(candidates.data(), candidates.size());
    } else {
        std::ranges::nth_element(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(k));
    }
}

std::size_t sort_best(std::span<Candidate> candidates, std::size_t k, bool by_row) {
    constexpr std::size_t kWorthPasses = 128;
    if (k < candidates.size()) {
        select_best(candidates, k);
        candidates = candidates.first(k);
        by_row = false;
    }
    if (candidates.size() < kWorthPasses) {
        quick_sort(candidates);
    } else {
        radix_sort(candidates, by_row ? 4 : 0);
    }
    return candidates.size();
}

Reservoir::Reservoir(std::size_t k, std::size_t rows, std::size_t batch)
    : isa_(kernels()),
      k_(k),
      most_(rows <= 8 * k ? rows : k + std::max<std::size_t>(k / 2, 32)),
      kept_(new Candidate[std::min(most_ + batch, rows)]) {}

void Reservoir::weed() {
    if (size_ <= k_) return;
    const std::span<Candidate> all(kept_.get(), size_);
    select_best(all, k_);
    size_ = k_;
    floor_ = score_of(*std::ranges::max_element(all.first(k_)));
    by_row_ = false;
}

std::span<const Candidate> Reservoir::finish() {
    const std::span<Candidate> all(kept_.get(), size_);
    return all.first(sort_best(all, k_, by_row_));
}

std::optional<std::uint32_t> not_a_number(std::span<const Candidate> best) {
    if (best.empty() || !std::isnan(score_of(best.front()))) return std::nullopt;
    return row_of(best.front());
}

}  // namespace nlvr
