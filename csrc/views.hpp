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
struct Vector {
    const std::byte* data = nullptr;
    std::size_t size = 0;
    std::ptrdiff_t stride = 0;

    T operator[](std::size_t i) const { return read_at<T>(data + static_cast<std::ptrdiff_t>(i) * stride); }
};

template <class T>
struct Matrix {
    const std::byte* data;
    std::size_t rows, columns;
    std::ptrdiff_t row_stride, column_stride;

    Vector<T> row(std::size_t i) const {
        return {data + static_cast<std::ptrdiff_t>(i) * row_stride, columns, column_stride};
    }
};

inline bool float_aligned(const std::byte* data) {
    return reinterpret_cast<std::uintptr_t>(data) % alignof(float) == 0;
}
inline bool float_stride(std::ptrdiff_t stride) { return stride % static_cast<std::ptrdiff_t>(sizeof(float)) == 0; }

// The rows of a matrix as pointers to adjacent floats: borrowed where they lie so, else gathered into `buffer`, which
// holds `columns` floats.
class FloatRows {
   public:
    explicit FloatRows(const Matrix<float>& matrix)
        : matrix_(matrix),
          adjacent_((matrix.columns <= 1 || matrix.column_stride == sizeof(float)) && float_aligned(matrix.data) &&
                    (matrix.rows <= 1 || float_stride(matrix.row_stride))) {}

    std::size_t size() const { return matrix_.rows; }
    std::size_t columns() const { return matrix_.columns; }
    // Floats of buffer that `count` rows need.
    std::size_t buffer_size(std::size_t count) const { return adjacent_ ? 0 : count * matrix_.columns; }

    const float* row(std::size_t i, float* buffer) const {
        const Vector<float> row = matrix_.row(i);
        if (adjacent_) return reinterpret_cast<const float*>(row.data);
        for (std::size_t e = 0; e < row.size; ++e) buffer[e] = row[e];
        return buffer;
    }

   private:
    Matrix<float> matrix_;
    bool adjacent_;
};

}  // namespace nlvr
