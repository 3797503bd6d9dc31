// Rows that count as float32, however they are stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "kernels.hpp"
#include "views.hpp"

namespace nlvr {

// Rows of int8 codes and what belongs to each (see CodeScale).
struct CodeRows {
    AdjacentRows<std::int8_t> codes;
    Vector<float> scales, norms, errors;
};

// A half number counts as itself, a code as its product with its row's scale, rounded to float32.
class StoredRows {
   public:
    using Storage = std::variant<AdjacentRows<float>, AdjacentRows<Float16>, AdjacentRows<Bfloat16>, CodeRows>;
    explicit StoredRows(const Storage& storage);

    std::size_t size() const { return size_; }
    std::size_t columns() const { return columns_; }
    // Floats of buffer that `count` rows need.
    std::size_t buffer_size(std::size_t count) const {
        return floats() ? floats()->buffer_size(count) : count * columns_;
    }
    // The floats of a row: borrowed where they lie so, else put in `buffer`, which holds `columns` of them.
    const float* row(std::size_t i, float* buffer) const {
        return floats() ? floats()->row(i, buffer) : widened(i, buffer);
    }

    const CodeRows* codes() const { return std::get_if<CodeRows>(&storage_); }

   private:
    const AdjacentRows<float>* floats() const { return std::get_if<AdjacentRows<float>>(&storage_); }
    const float* widened(std::size_t i, float* buffer) const;

    Storage storage_;
    std::size_t size_, columns_;
};

}  // namespace nlvr
