#include "rounding.hpp"

#include <bit>
#include <cmath>

#include "error_bounds.hpp"

namespace nlvr {
namespace {

constexpr float kLeastNormal = 0x1p-126f;

// To nearest even; what is below the normal range is zero, as it is for the instructions that multiply these.
Bfloat16 rounded(float value) {
    if (std::abs(value) < kLeastNormal) return {0};
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return {static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}
float widened(Bfloat16 value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

}  // namespace

// With a query x = t + u and a track y = c + r, t and c of bfloat16 numbers, and lengths |.|:
//   x·y − t·c = u·c + x·r,  at most |u| (|y| + |r|) + |x| |r|  by Cauchy and Schwarz, where |r| <= 2^-8 |y| + lost;
// a sum of the products t·c, whatever its order, differs from t·c by at most growth · |t| |c| and what its parts below
// the normal range are, which count as zero; and the defined sum from x·y by at most growth · |x| |y|, plus 2^-149 for
// every product that underflows. The length of y is the root of a sum of float32 squares.
RoundedRows::RoundedRows(std::span<const float* const> rows, std::size_t dims)
    : dims_(dims), tiles_(rounded_size(rows.size(), dims)) {
    constexpr double kHalf = 0x1p-8;
    constexpr float kMostLength = 0x1p63f, kLeast = 0x1p-120f;
    const auto numbers = static_cast<double>(dims);
    const double lost = std::sqrt(numbers) * kLeastNormal;
    const double sum_growth = growth(sum_roundings(dims)), product_growth = growth(dims + 2);
    const double length_growth = 1 + sum_growth + 4 * kUnit, length_lost = std::sqrt(numbers) * 0x1p-74;
    const double underflow = 4 * numbers * kLeastNormal;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        double squares = 0, rest_squares = 0;
        for (std::size_t e = 0; e < dims; ++e) {
            const float value = rows[i][e];
            const Bfloat16 number = rounded(value);
            const std::size_t tile = i / kLanes * ((dims + kTileNumbers - 1) / kTileNumbers) + e / kTileNumbers;
            tiles_.data()[((tile * kLanes + e % kTileNumbers / 2) * kLanes + i % kLanes) * 2 + e % 2] = number;
            const double rest = static_cast<double>(value) - static_cast<double>(widened(number));
            squares += static_cast<double>(value) * static_cast<double>(value);
            rest_squares += rest * rest;
        }
        constexpr double kInDouble = 1 + 0x1p-30;
        const double length = std::sqrt(squares) * kInDouble, rest = std::sqrt(rest_squares) * kInDouble;
        if (!(length < kMostLength)) {
            slopes_.push_back(kInfinity);
            leasts_.push_back(kLeast);
            continue;
        }
        const double both = length + rest;
        // Evaluating the bound itself in float32 takes a few roundings of numbers no greater than `both` times the
        // track's.
        const double slope = rest * (1 + kHalf) + length * kHalf + product_growth * both * (1 + kHalf) +
                             sum_growth * length + 16 * kUnit * both;
        const double least = both * lost * (1 + product_growth) + underflow + slope * length_lost;
        slopes_.push_back(upwards(slope * length_growth + kLeast));
        leasts_.push_back(upwards(least + kLeast));
    }
}

}  // namespace nlvr
