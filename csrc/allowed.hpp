// Which track rows may be ranked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "views.hpp"

namespace nlvr {

// All, one flag a row, or one bit a row (bit r mod 8 of byte r / 8).
struct Allowed {
    enum class Form { kAll, kFlags, kBits } form = Form::kAll;
    Vector<std::uint8_t> values;
};

// Those of `rows` rows that are allowed, in order.
class AllowedRows {
   public:
    AllowedRows(const Allowed& allowed, std::size_t rows);

    std::size_t size() const { return all_ ? rows_ : list_.size(); }
    std::uint32_t operator[](std::size_t i) const { return all_ ? static_cast<std::uint32_t>(i) : list_[i]; }

   private:
    bool all_;
    std::size_t rows_;
    std::vector<std::uint32_t> list_;
};

}  // namespace nlvr
