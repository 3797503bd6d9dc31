// Rows rounded to bfloat16, and how far an inner product of them may lie from that of the rows.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels.hpp"

namespace nlvr {

// Queries as `Kernels::reaching_rounded` reads them.
class RoundedRows {
   public:
    RoundedRows(const Kernels& isa, std::span<const float* const> rows, std::size_t dims);
    RoundedQueries view() const { return {slopes_.size(), dims_, tiles_.data(), slopes_.data(), leasts_.data()}; }

   private:
    std::size_t dims_;
    std::vector<TileRow> tiles_;
    std::vector<float> slopes_, leasts_;
};

}  // namespace nlvr
