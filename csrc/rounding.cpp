#include "rounding.hpp"

#include <cmath>

#include "error_bounds.hpp"

namespace nlvr {
namespace {

constexpr float kLeastNormal = 0x1p-126f;
constexpr double kHalfStep = 0x1p-8;  // the most that rounding to bfloat16 changes a number, in parts of it

}  // namespace

// With a query x = t + u and a track y = c + r, t and c of bfloat16 numbers, and lengths |.|:
//   x·y − t·c = u·c + x·r,  at most |u| (|y| + |r|) + |x| |r|  by Cauchy and Schwarz, where |r| is at most kHalfStep
//   |y|
// and what is lost of numbers below the normal range;
// a sum of the products t·c, whatever its order, differs from t·c by at most growth · |t| |c| and what is lost of its
// parts below the normal range;
// and the defined sum from x·y by at most growth · |x| |y|, plus 2^-149 for every product that underflows.
// Lengths are roots of sums of float32 squares; what rounding takes from a number is exact in float32.
RoundedRows::RoundedRows(const Kernels& isa, std::span<const float* const> rows, std::size_t dims)
    : dims_(dims), tiles_(tile_rows(rows.size(), dims)) {
    const auto numbers = static_cast<double>(dims);
    const double lost_numbers = std::sqrt(numbers) * kLeastNormal;
    // At most three parts of each product: of itself, and where tiles add two chains and then what they had. The fourth
    // is more than all that underflows of the defined sum.
    const double lost_parts = 4 * numbers * kLeastNormal;
    const double sum_growth = growth(sum_roundings(dims)), product_growth = growth(dims + 2);
    const double length_growth = 1 + sum_growth + 4 * kUnit, length_lost = std::sqrt(numbers) * 0x1p-74;
    std::vector<float> squares(rows.size()), rest_squares(rows.size());
    isa.round_queries(rows.data(), rows.size(), dims, tiles_.data(), squares.data(), rest_squares.data());
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto length_of = [&](float sum) {
            return std::sqrt(static_cast<double>(sum)) * length_growth + length_lost;
        };
        const double length = length_of(squares[i]), rest = length_of(rest_squares[i]);
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
