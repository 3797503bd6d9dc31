#include "rounding.hpp"

#include <bit>
#include <cmath>
#include <cstdint>

#include "error_bounds.hpp"

namespace nlvr {
namespace {

constexpr float kLeastNormal = 0x1p-126f;
constexpr double kHalfStep = 0x1p-8;  // the most that rounding to bfloat16 changes a number, in parts of it

// To nearest even; what is below the normal range is zero, as it is for the instructions that multiply these.
Bfloat16 rounded(float value) {
    if (std::abs(value) < kLeastNormal) return {0};
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return {static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}
float widened(Bfloat16 value) { return std::bit_cast<float>(std::uint32_t{value.bits} << 16); }

}  // namespace

// With a query x = t + u and a track y = c + r, t and c of bfloat16 numbers, and lengths |.|:
//   x·y − t·c = u·c + x·r,  at most |u| (|y| + |r|) + |x| |r|  by Cauchy and Schwarz, where |r| is at most kHalfStep
//   |y|
// and what is lost of numbers below the normal range;
// a sum of the products t·c, whatever its order, differs from t·c by at most growth · |t| |c| and what is lost of its
// parts below the normal range;
// and the defined sum from x·y by at most growth · |x| |y|, plus 2^-149 for every product that underflows.
// The length of y is the root of a sum of float32 squares.
RoundedRows::RoundedRows(std::span<const float* const> rows, std::size_t dims)
    : dims_(dims), tiles_(tile_rows(rows.size(), dims)) {
    const auto numbers = static_cast<double>(dims);
    const double lost_numbers = std::sqrt(numbers) * kLeastNormal;
    // At most three parts of each product: of itself, and where tiles add two chains and then what they had. The fourth
    // is more than all that underflows of the defined sum.
    const double lost_parts = 4 * numbers * kLeastNormal;
    const double sum_growth = growth(sum_roundings(dims)), product_growth = growth(dims + 2);
    const double length_growth = 1 + sum_growth + 4 * kUnit, length_lost = std::sqrt(numbers) * 0x1p-74;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        TileRow* const tiles = tiles_.data() + tile_rows(i / kLanes * kLanes, dims);
        double squares = 0, rest_squares = 0;
        for (std::size_t e = 0; e < dims; ++e) {
            const double value = static_cast<double>(rows[i][e]);
            const Bfloat16 number = rounded(rows[i][e]);
            const std::size_t pair = e / 2;  // sixteen in a tile, which has a row for each
            tiles[pair].numbers[2 * (i % kLanes) + e % 2] = number;
            const double rest = value - static_cast<double>(widened(number));
            squares += value * value;
            rest_squares += rest * rest;
        }
        const double length = std::sqrt(squares) * kInDouble, rest = std::sqrt(rest_squares) * kInDouble;
        if (!(length < kMostLength)) {
            slopes_.push_back(kInfinity);
            leasts_.push_back(kLeastCoefficient);
            continue;
        }
        const double both = length + rest;
        // Evaluating the bound itself in float32 takes a few roundings of numbers no greater than `both` times the
        // track's.
        const double slope = rest * (1 + kHalfStep) + length * kHalfStep + product_growth * both * (1 + kHalfStep) +
                             sum_growth * length + 16 * kUnit * both;
        const double least = both * lost_numbers * (1 + product_growth) + lost_parts + slope * length_lost;
        slopes_.push_back(upwards(slope * length_growth + kLeastCoefficient));
        leasts_.push_back(upwards(least + kLeastCoefficient));
    }
}

}  // namespace nlvr
