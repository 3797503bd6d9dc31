#include "quantization.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "error_bounds.hpp"
#include "isa.hpp"
#include "pool.hpp"

namespace nlvr {
namespace {

constexpr float kMostCode = 127.0f;

}  // namespace

// Rounding takes half a code of each number at most; the factor, the scale and their product are rounded themselves.
Quantizer::Quantizer(std::size_t dims)
    : isa_(kernels()),
      dims_(dims),
      squares_growth_(1 + 2 * growth(sum_roundings(dims))),
      squares_lost_(static_cast<double>(dims) * 0x1p-149),
      most_error_((0.5 + kMostCode * 4 * kUnit) * std::sqrt(static_cast<double>(dims))) {}

CodeScale Quantizer::quantize(const float* row, std::int8_t* codes, const float* later) const {
    // Below this a factor would overflow, and beyond that a score could: such rows stay zero codes.
    constexpr float kLeast = 0x1p-100f;
    const auto [largest, squares] = isa_.magnitude(row, dims_, later);
    const double norm = std::sqrt(squares * squares_growth_ + squares_lost_);
    if (!(norm < kMostLength) || largest < kLeast) {
        std::fill_n(codes, dims_, std::int8_t{0});
        const float error = norm < kMostLength ? upwards(norm) : kInfinity;
        return {0.0f, norm < kMostLength ? error : 0.0f, error};
    }
    isa_.round(row, dims_, kMostCode / largest, codes, later);
    const float scale = largest / kMostCode;
    return {scale, upwards(norm), upwards(most_error_ * static_cast<double>(scale))};
}

CodeScale Quantizer::quantize_closely(const float* row, std::int8_t* codes) const {
    CodeScale result = quantize(row, codes, row);
    if (result.scale == 0.0f) return result;
    double squares = 0;
    for (std::size_t e = 0; e < dims_; ++e) {
        const double rest = static_cast<double>(row[e]) - static_cast<double>(result.scale) * codes[e];
        squares += rest * rest;
    }
    result.error = std::min(result.error, upwards(std::sqrt(squares) * kInDouble));
    return result;
}

CodeScale of_codes_themselves(const CodeScale& row) {
    const float norm = row.norm + row.error;
    return {row.scale, norm * (1 + 0x1p-22f) + 0x1p-120f, norm * 0x1p-23f + 0x1p-120f};
}

void quantize_rows(const AdjacentRows<float>& rows, std::optional<std::size_t> threads, std::int8_t* codes,
                   float* scales, float* norms, float* errors) {
    const std::size_t dims = rows.columns();
    const double work = static_cast<double>(rows.size()) * static_cast<double>(dims);
    parallel_ranges(rows.size(), threads_for(threads, work), [&](std::size_t first, std::size_t last) {
        const Quantizer quantizer(dims);
        std::vector<float> buffer(rows.buffer_size(1));
        for (std::size_t i = first; i < last; ++i) {
            const CodeScale row = quantizer.quantize_closely(rows.row(i, buffer.data()), codes + i * dims);
            scales[i] = row.scale;
            norms[i] = row.norm;
            errors[i] = row.error;
        }
    });
}

// With a query x = t·b + u and a row y = s·c + r, and lengths |.|:
//   x·y − t·s·(b·c) = u·(s·c) + x·r,  at most |u| (|y| + |r|) + |x| |r|  by Cauchy and Schwarz,
// and the defined sum differs from x·y by at most growth · |x| |y|, plus 2^-149 for every product that underflows.
// Evaluating the bound itself in float32 takes a few roundings of numbers no greater than (|x| + |u|) (|y| + |r|).
Reach reach(const CodeScale& query, std::size_t dims) {
    const auto norm = static_cast<double>(query.norm), error = static_cast<double>(query.error);
    const double evaluation = 16 * kUnit * (norm + error);
    const double underflow = (static_cast<double>(dims) + 8 + static_cast<double>(query.scale)) * 0x1p-146;
    return {query.scale, upwards((error + growth(sum_roundings(dims)) * norm + evaluation) + kLeastCoefficient),
            upwards((norm + error + evaluation) + kLeastCoefficient), upwards(underflow + kLeastCoefficient)};
}

}  // namespace nlvr
