// Rows rounded to bfloat16, and how far an inner product of them may lie from that of the rows.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels.hpp"

namespace nlvr {

// Numbers of which a CPU reads whole cache lines.
class AlignedBfloats {
   public:
    explicit AlignedBfloats(std::size_t size) : all_(size + kLine) {}
    Bfloat16* data() { return all_.data() + first(); }
    const Bfloat16* data() const { return all_.data() + first(); }

   private:
    static constexpr std::size_t kLine = 64 / sizeof(Bfloat16);
    std::size_t first() const { return (-reinterpret_cast<std::uintptr_t>(all_.data()) / sizeof(Bfloat16)) % kLine; }
    std::vector<Bfloat16> all_;
};

// How many numbers the tiles of so many rows hold, the zeros that fill them up included.
constexpr std::size_t rounded_size(std::size_t rows, std::size_t dims) {
    return (rows + kLanes - 1) / kLanes * kLanes * ((dims + kTileNumbers - 1) / kTileNumbers * kTileNumbers);
}

// Queries as `Kernels::reaching_rounded` reads them.
class RoundedRows {
   public:
    RoundedRows(std::span<const float* const> rows, std::size_t dims);
    RoundedQueries view() const { return {slopes_.size(), dims_, tiles_.data(), slopes_.data(), leasts_.data()}; }

   private:
    std::size_t dims_;
    AlignedBfloats tiles_;
    std::vector<float> slopes_, leasts_;
};

}  // namespace nlvr
