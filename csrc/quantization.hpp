// Rows as int8 codes with a scale each, and how far an inner product of codes may lie from that of the rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "kernels.hpp"
#include "views.hpp"

namespace nlvr {

// What belongs to a row's codes: row = scale * codes + r with |r| <= error, and |row| <= norm (Euclidean lengths). A
// row that is not finite or longer than 2^63 has zero codes and an infinite error.
struct CodeScale {
    float scale, norm, error;
};

// Makes codes of rows of one length.
class Quantizer {
   public:
    explicit Quantizer(std::size_t dims);

    // Rounds a row to codes in -127 … 127, its largest magnitude to 127. The error is the most that rounding can make.
    // later: the row that is to be fetched meanwhile.
    CodeScale quantize(const float* row, std::int8_t* codes, const float* later) const;
    // The same with the error there is, which takes longer to compute.
    CodeScale quantize_closely(const float* row, std::int8_t* codes) const;

   private:
    const Kernels& isa_;
    std::size_t dims_;
    // What the squares of a row may be short by: a share of them, and what is lost below the smallest float32.
    double squares_growth_, squares_lost_;
    double most_error_;  // of a row, in parts of its scale
};

// What belongs to the same codes where the row is what they stand for: scale * codes, each rounded to float32.
CodeScale of_codes_themselves(const CodeScale& row);

// Quantizes rows closely: codes [rows, columns], and for each row its scale, norm and error.
void quantize_rows(const AdjacentRows<float>& rows, std::optional<std::size_t> threads, std::int8_t* codes,
                   float* scales, float* norms, float* errors);

// The bound on a query's scores; `dims` is its length.
Reach reach(const CodeScale& query, std::size_t dims);

}  // namespace nlvr
