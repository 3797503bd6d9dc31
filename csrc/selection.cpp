#include "selection.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace nlvr {
namespace {

constexpr std::uint32_t kSign = 0x80000000u;
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

}  // namespace

Candidate candidate(float score, std::uint32_t row) {
    const auto bits = std::bit_cast<std::uint32_t>(score);
    const std::uint32_t descending = bits & kSign ? bits : ~(bits | kSign);
    return Candidate{descending} << 32 | row;
}

float score_of(Candidate candidate) {
    const auto descending = static_cast<std::uint32_t>(candidate >> 32);
    return std::bit_cast<float>(descending & kSign ? descending : ~descending & ~kSign);
}

std::size_t sort_best(std::span<Candidate> candidates, std::size_t k, bool by_row) {
    constexpr std::size_t kWorthPasses = 128;
    if (k < candidates.size()) {
        std::ranges::nth_element(candidates, candidates.begin() + static_cast<std::ptrdiff_t>(k));
        candidates = candidates.first(k);
        by_row = false;
    }
    if (candidates.size() < kWorthPasses) {
        std::ranges::sort(candidates);
    } else {
        radix_sort(candidates, by_row ? 4 : 0);
    }
    return candidates.size();
}

Reservoir::Reservoir(std::size_t k, std::size_t rows) : k_(k), capacity_(std::min(rows, std::max(2 * k, k + 256))) {
    kept_.reserve(capacity_);
}

void Reservoir::weed() {
    const auto worst = kept_.begin() + static_cast<std::ptrdiff_t>(k_ - 1);
    std::ranges::nth_element(kept_, worst);
    floor_ = score_of(*worst);
    kept_.resize(k_);
    by_row_ = false;
}

std::span<const Candidate> Reservoir::finish() { return std::span(kept_).first(sort_best(kept_, k_, by_row_)); }

}  // namespace nlvr
