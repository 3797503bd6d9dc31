// Borrowed numpy memory: strides count bytes, may be negative or zero, and need not be a multiple of an element's size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nlvr {

template <class T>
T read_at(const std::byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

template <class T>
bool aligned(const std::byte* data) {
    return reinterpret_cast<std::uintptr_t>(data) % alignof(T) == 0;
}
template <class T>
bool whole_stride(std::ptrdiff_t stride) {
    return stride % static_cast<std::ptrdiff_t>(sizeof(T)) == 0;
}

template <class T>
struct Vector {
    const std::byte* data = nullptr;
    std::size_t size = 0;
    std::ptrdiff_t stride = 0;

    T operator[](std::size_t i) const { return read_at<T>(data + static_cast<std::ptrdiff_t>(i) * stride); }
    bool adjacent() const { return stride == sizeof(T) && aligned<T>(data); }
    const T* from(std::size_t i) const { return reinterpret_cast<const T*>(data) + i; }  // where they are adjacent
};

template <class T>
struct Matrix {
    const std::byte* data = nullptr;
    std::size_t rows = 0, columns = 0;
    std::ptrdiff_t row_stride = 0, column_stride = 0;

    Vector<T> row(std::size_t i) const {
        return {data + static_cast<std::ptrdiff_t>(i) * row_stride, columns, column_stride};
    }
};

// The rows of a matrix as pointers to adjacent elements: borrowed where they lie so, else gathered into `buffer`, which
// holds `columns` of them.
template <class T>
class AdjacentRows {
   public:
    AdjacentRows() = default;
    explicit AdjacentRows(const Matrix<T>& matrix)
        : matrix_(matrix),
          borrowed_((matrix.columns <= 1 || matrix.column_stride == sizeof(T)) && aligned<T>(matrix.data) &&
                    (matrix.rows <= 1 || whole_stride<T>(matrix.row_stride))) {}

    std::size_t size() const { return matrix_.rows; }
    std::size_t columns() const { return matrix_.columns; }
    // Elements of buffer that `count` rows need.
    std::size_t buffer_size(std::size_t count) const { return borrowed_ ? 0 : count * matrix_.columns; }

    const T* row(std::size_t i, T* buffer) const {
        const Vector<T> row = matrix_.row(i);
        if (borrowed_) return reinterpret_cast<const T*>(row.data);
        for (std::size_t e = 0; e < row.size; ++e) buffer[e] = row[e];
        return buffer;
    }

   private:
    Matrix<T> matrix_;
    bool borrowed_ = true;
};

}  // namespace nlvr
