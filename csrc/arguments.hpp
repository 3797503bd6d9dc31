// Checks of what Python passes: every argument is refused by its name.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include "kernels.hpp"
#include "views.hpp"

namespace nlvr {

namespace py = pybind11;

template <class T>
inline constexpr const char* kName = nullptr;
template <>
inline constexpr const char* kName<float> = "float32";
template <>
inline constexpr const char* kName<Float16> = "float16";
template <>
inline constexpr const char* kName<Bfloat16> = "bfloat16";
template <>
inline constexpr const char* kName<std::int8_t> = "int8";
template <>
inline constexpr const char* kName<std::int32_t> = "int32";
template <>
inline constexpr const char* kName<std::int64_t> = "int64";
template <>
inline constexpr const char* kName<std::uint8_t> = "uint8";

std::string type_of(const py::array& array);

template <class T>
bool holds(const py::array& array) {
    if constexpr (std::is_same_v<T, Float16>) return array.dtype().equal(py::dtype("float16"));
    // Not one of numpy's own; ml_dtypes brings it.
    else if constexpr (std::is_same_v<T, Bfloat16>)
        return type_of(array) == kName<T>;
    else
        return array.dtype().equal(py::dtype::of<T>());
}

std::string shape_of(const py::array& array);
std::string shape_of(std::size_t rows, std::size_t columns);

py::array any_array(const char* name, const py::object& given, const std::string& wanted);
void check_dims(const char* name, const py::array& array, py::ssize_t dims, const char* layout);

// An array of one of the types; `layout` names its dimensions, as in "[Q, D]".
template <class First, class... Others>
py::array array(const char* name, const py::object& given, py::ssize_t dims, const char* layout) {
    std::string types = kName<First>;
    const std::array<const char*, sizeof...(Others)> others{kName<Others>...};
    for (std::size_t i = 0; i < others.size(); ++i)
        types += (i + 1 < others.size() ? ", " : " or ") + std::string(others[i]);
    const py::array array = any_array(name, given, types);
    if (!(holds<First>(array) || ... || holds<Others>(array))) {
        throw py::type_error(std::string(name) + ": " + type_of(array) + ", wanted " + types + "; use " + name +
                             ".astype(np." + kName<First> + ")");
    }
    check_dims(name, array, dims, layout);
    return array;
}

inline const std::byte* bytes(const py::array& array) { return static_cast<const std::byte*>(array.data()); }

inline std::size_t size(const py::array& array, int dim) { return static_cast<std::size_t>(array.shape(dim)); }

template <class T>
Matrix<T> matrix(const py::array& array) {
    return {bytes(array), size(array, 0), size(array, 1), array.strides(0), array.strides(1)};
}

template <class T>
AdjacentRows<T> rows(const py::array& array) {
    return AdjacentRows<T>(matrix<T>(array));
}

template <class T>
Vector<T> vector(const py::array& array) {
    return {bytes(array), size(array, 0), array.strides(0)};
}

std::size_t at_least_one(const char* name, const py::object& given);
std::optional<std::size_t> thread_count(const py::object& given);

}  // namespace nlvr
