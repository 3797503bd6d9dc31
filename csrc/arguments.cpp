#include "arguments.hpp"

namespace nlvr {

using std::to_string;

std::string shape_of(const py::array& array) {
    std::string shape;
    for (py::ssize_t i = 0; i < array.ndim(); ++i) shape += (i ? ", " : "") + to_string(array.shape(i));
    return "[" + shape + "]";
}

std::string shape_of(std::size_t rows, std::size_t columns) {
    return "[" + to_string(rows) + ", " + to_string(columns) + "]";
}

std::string type_of(const py::array& array) { return py::cast<std::string>(py::str(array.dtype())); }

py::array any_array(const char* name, const py::object& given, const std::string& wanted) {
    if (py::isinstance<py::array>(given)) return py::reinterpret_borrow<py::array>(given);
    throw py::type_error(std::string(name) + ": " + Py_TYPE(given.ptr())->tp_name + ", wanted a numpy array of " +
                         wanted);
}

void check_dims(const char* name, const py::array& array, py::ssize_t dims, const char* layout) {
    if (array.ndim() == dims) return;
    throw py::value_error(std::string(name) + ": shape " + shape_of(array) + ", wanted " + to_string(dims) +
                          " dimension" + (dims == 1 ? "" : "s") + " " + layout);
}

std::size_t at_least_one(const char* name, const py::object& given) {
    if (!PyIndex_Check(given.ptr())) {
        throw py::type_error(std::string(name) + ": " + Py_TYPE(given.ptr())->tp_name + ", wanted an int");
    }
    const py::ssize_t value = PyNumber_AsSsize_t(given.ptr(), nullptr);
    if (value == -1 && PyErr_Occurred()) throw py::error_already_set();
    if (value < 1) throw py::value_error(std::string(name) + ": " + to_string(value) + ", wanted at least 1");
    return static_cast<std::size_t>(value);
}

std::optional<std::size_t> thread_count(const py::object& given) {
    if (given.is_none()) return std::nullopt;
    return at_least_one("threads", given);
}

}  // namespace nlvr
