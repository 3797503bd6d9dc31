// What rounding to float32 can change.
#pragma once

#include <cstddef>
#include <limits>

#include "kernels.hpp"

namespace nlvr {

inline constexpr double kUnit = 0x1p-24;          // the most that rounding changes a number, in parts of it
inline constexpr double kInDouble = 1 + 0x1p-30;  // more than a length may lose that is computed in double
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Added to every coefficient of a bound. None is 0, so that one that is infinite stays so; and none is subnormal, for
// with one of those some CPUs take a hundred times as long over a multiply-add.
inline constexpr float kLeastCoefficient = 0x1p-120f;

// A float32 above, so that what bounds in double bounds in float32.
inline float upwards(double value) { return static_cast<float>(value * (1 + 4 * kUnit) + 0x1p-140); }

// How much a sum of products may be off in all, in parts of the product of the lengths, where each product goes through
// so many roundings: far fewer than 1 / kUnit.
inline double growth(std::size_t roundings) {
    const double off = static_cast<double>(roundings) * kUnit;
    return off / (1 - off);
}

// Of the defined sum over `dims`: each lane's chain, four folds, and one to spare.
inline std::size_t sum_roundings(std::size_t dims) { return dims / kLanes + 6; }

}  // namespace nlvr
