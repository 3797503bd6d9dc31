#include "allowed.hpp"

#include <algorithm>
#include <bit>

namespace nlvr {
namespace {

constexpr std::size_t kEight = 8;

// One bit for each of eight rows from `first` on, of which `count` exist.
unsigned eight_bits(const Allowed& allowed, std::size_t first, std::size_t count) {
    const Vector<std::uint8_t>& values = allowed.values;
    if (allowed.form == Allowed::Form::kBits) return values[first / kEight] & ((1u << count) - 1u);
    if (count == kEight && values.stride == 1 && read_at<std::uint64_t>(values.data + first) == 0) return 0;
    unsigned bits = 0;
    for (std::size_t i = 0; i < count; ++i) bits |= unsigned{values[first + i] != 0} << i;
    return bits;
}

}  // namespace

AllowedRows::AllowedRows(const Allowed& allowed, std::size_t rows)
    : all_(allowed.form == Allowed::Form::kAll), rows_(rows) {
    if (all_) return;
    for (std::size_t first = 0; first < rows; first += kEight) {
        unsigned bits = eight_bits(allowed, first, std::min(kEight, rows - first));
        for (; bits != 0; bits &= bits - 1) {
            list_.push_back(static_cast<std::uint32_t>(first) + static_cast<std::uint32_t>(std::countr_zero(bits)));
        }
    }
}

}  // namespace nlvr
