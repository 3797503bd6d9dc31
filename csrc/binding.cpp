// The Python face: checks every argument by name, borrows its memory and releases the GIL around the work.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cpus.hpp"
#include "isa.hpp"
#include "pool.hpp"
#include "pooling.hpp"
#include "segment_mean.hpp"
#include "topk.hpp"

namespace py = pybind11;

namespace {

using std::to_string;

// Classes that carry row numbers as attributes; they live as long as the process.
PyObject* not_a_number = nullptr;
PyObject* empty_box = nullptr;
PyObject* box_outside = nullptr;

PyObject* new_error(py::module_& module, const char* name, const char* doc,
                    const std::vector<const char*>& attributes) {
    py::dict members;
    for (const char* attribute : attributes) members[attribute] = py::none();
    const std::string full = py::cast<std::string>(module.attr("__name__")) + "." + name;
    PyObject* error = PyErr_NewExceptionWithDoc(full.c_str(), doc, PyExc_ValueError, members.ptr());
    if (error == nullptr) throw py::error_already_set();
    module.add_object(name, error);
    return error;
}

using Attribute = std::pair<const char*, std::size_t>;

[[noreturn]] void raise(PyObject* type, const std::string& message, const std::vector<Attribute>& attributes) {
    const py::object error = py::reinterpret_borrow<py::object>(type)(message);
    for (const auto& [name, value] : attributes) error.attr(name) = value;
    PyErr_SetObject(type, error.ptr());
    throw py::error_already_set();
}

std::string shape_of(const py::array& array) {
    std::string shape;
    for (py::ssize_t i = 0; i < array.ndim(); ++i) shape += (i ? ", " : "") + to_string(array.shape(i));
    return "[" + shape + "]";
}

py::array any_array(const char* name, const py::object& given, const char* wanted) {
    if (py::isinstance<py::array>(given)) return py::reinterpret_borrow<py::array>(given);
    throw py::type_error(std::string(name) + ": " + Py_TYPE(given.ptr())->tp_name + ", wanted a numpy array of " +
                         wanted);
}

// `layout` names the dimensions, as in "[Q, D]".
template <class T>
py::array array(const char* name, const py::object& given, const char* type, py::ssize_t dims, const char* layout) {
    const py::array array = any_array(name, given, type);
    if (!array.dtype().equal(py::dtype::of<T>())) {
        throw py::type_error(std::string(name) + ": " + py::cast<std::string>(py::str(array.dtype())) + ", wanted " +
                             type + "; use " + name + ".astype(np." + type + ")");
    }
    if (array.ndim() != dims) {
        throw py::value_error(std::string(name) + ": shape " + shape_of(array) + ", wanted " + to_string(dims) +
                              " dimension" + (dims == 1 ? "" : "s") + " " + layout);
    }
    return array;
}

const std::byte* bytes(const py::array& array) { return static_cast<const std::byte*>(array.data()); }

std::size_t size(const py::array& array, int dim) { return static_cast<std::size_t>(array.shape(dim)); }

template <class T>
nlvr::Matrix<T> matrix(const py::array& array) {
    return {bytes(array), size(array, 0), size(array, 1), array.strides(0), array.strides(1)};
}

template <class T>
nlvr::Vector<T> vector(const py::array& array) {
    return {bytes(array), size(array, 0), array.strides(0)};
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

nlvr::Allowed allowed_rows(const py::object& given, std::size_t rows) {
    if (given.is_none()) return {};
    const py::array array = any_array("allowed", given, "bool or uint8");
    const bool flags = array.dtype().equal(py::dtype::of<bool>());
    if (!flags && !array.dtype().equal(py::dtype::of<std::uint8_t>())) {
        throw py::type_error("allowed: " + py::cast<std::string>(py::str(array.dtype())) +
                             ", wanted bool (one a row) or uint8 (np.packbits(…, bitorder=\"little\"))");
    }
    const std::size_t wanted = flags ? rows : (rows + 7) / 8;
    if (array.ndim() != 1 || size(array, 0) != wanted) {
        throw py::value_error("allowed: shape " + shape_of(array) + ", wanted [" + to_string(wanted) + "] for " +
                              to_string(rows) + " tracks in " + (flags ? "bool" : "packed bits"));
    }
    return {flags ? nlvr::Allowed::Form::kFlags : nlvr::Allowed::Form::kBits, vector<std::uint8_t>(array)};
}

py::tuple topk(const py::object& queries, const py::object& tracks, const py::object& k, const py::object& allowed,
               const py::object& threads) {
    nlvr::chosen_isa();
    const py::array query_array = array<float>("queries", queries, "float32", 2, "[Q, D]");
    const py::array track_array = array<float>("tracks", tracks, "float32", 2, "[N, D]");
    if (query_array.shape(1) != track_array.shape(1)) {
        throw py::value_error("queries: shape " + shape_of(query_array) + ", tracks: shape " + shape_of(track_array) +
                              "; both need the same number of columns");
    }
    const std::size_t rows = size(track_array, 0);
    if (rows > nlvr::kMostTracks) {
        throw py::value_error("tracks: " + to_string(rows) + " rows, wanted at most " + to_string(nlvr::kMostTracks));
    }
    const std::size_t best = std::min(at_least_one("k", k), rows);
    const std::vector<py::ssize_t> shape{query_array.shape(0), static_cast<py::ssize_t>(best)};
    py::array_t<std::int64_t> ids(shape);
    py::array_t<float> scores(shape);
    const nlvr::TopK problem{nlvr::FloatRows(matrix<float>(query_array)),
                             nlvr::FloatRows(matrix<float>(track_array)),
                             allowed_rows(allowed, rows),
                             best,
                             thread_count(threads),
                             ids.mutable_data(),
                             scores.mutable_data()};
    const auto bad = [&] {
        const py::gil_scoped_release unlocked;
        return nlvr::topk(problem);
    }();
    if (bad) {
        raise(not_a_number,
              "the score of query row " + to_string(bad->query) + " and track row " + to_string(bad->track) +
                  " is not a number; look for NaN or infinity in these two rows",
              {{"query_row", bad->query}, {"track_row", bad->track}});
    }
    return py::make_tuple(ids, scores);
}

nlvr::Cells good_cells(const py::array& array, const nlvr::Maps& maps) {
    if (array.shape(1) != 5) {
        throw py::value_error("cells: shape " + shape_of(array) + ", wanted [N, 5] (frame, x0, y0, x1, y1)");
    }
    const auto cells = matrix<std::int32_t>(array);
    const auto bad = nlvr::first_bad_box(maps, cells);
    if (!bad) return cells;
    const auto row = cells.row(bad->row);
    const std::string what = "cells: row " + to_string(bad->row) + " (frame " + to_string(row[0]) + ", x " +
                             to_string(row[1]) + ":" + to_string(row[3]) + ", y " + to_string(row[2]) + ":" +
                             to_string(row[4]) + ")";
    if (bad->fault == nlvr::BadBox::Fault::kEmpty) {
        raise(empty_box, what + " holds no cell; a box needs x0 < x1 and y0 < y1", {{"row", bad->row}});
    }
    raise(box_outside,
          what + " leaves the " + to_string(maps.frames) + " maps of height " + to_string(maps.height) + " and width " +
              to_string(maps.width) + "; clip it first",
          {{"row", bad->row}});
}

py::array_t<float> masked_pool(const py::object& features, const py::object& cells, const py::object& threads) {
    nlvr::chosen_isa();
    const py::array maps_array = array<float>("features", features, "float32", 4, "[F, C, H, W]");
    const py::array cells_array = array<std::int32_t>("cells", cells, "int32", 2, "[N, 5]");
    const nlvr::Maps maps{bytes(maps_array),     size(maps_array, 0),   size(maps_array, 1),
                          size(maps_array, 2),   size(maps_array, 3),   maps_array.strides(0),
                          maps_array.strides(1), maps_array.strides(2), maps_array.strides(3)};
    const nlvr::Cells boxes = good_cells(cells_array, maps);
    const auto count = thread_count(threads);
    py::array_t<float> means(std::vector<py::ssize_t>{cells_array.shape(0), maps_array.shape(1)});
    float* out = means.mutable_data();
    {
        const py::gil_scoped_release unlocked;
        nlvr::box_means(maps, boxes, count, out);
    }
    return means;
}

py::array_t<float> mask_ratio(const py::object& masks, const py::object& cells, const py::object& threads) {
    nlvr::chosen_isa();
    const py::array maps_array = array<float>("masks", masks, "float32", 3, "[F, H, W]");
    const py::array cells_array = array<std::int32_t>("cells", cells, "int32", 2, "[N, 5]");
    const nlvr::Maps maps{bytes(maps_array),    size(maps_array, 0),   1, size(maps_array, 1),
                          size(maps_array, 2),  maps_array.strides(0), 0, maps_array.strides(1),
                          maps_array.strides(2)};
    const nlvr::Cells boxes = good_cells(cells_array, maps);
    const auto count = thread_count(threads);
    py::array_t<float> ratios(cells_array.shape(0));
    float* const out = ratios.mutable_data();
    float* const end = out + ratios.size();
    const float* bad = nullptr;
    {
        const py::gil_scoped_release unlocked;
        nlvr::box_means(maps, boxes, count, out);
        bad = std::find_if(out, end, [](float ratio) { return std::isnan(ratio); });
    }
    if (bad != end) {
        const auto row = static_cast<std::size_t>(bad - out);
        raise(
            not_a_number,
            "the mask ratio of cells row " + to_string(row) + " is not a number; look for NaN or infinity in its mask",
            {{"row", row}});
    }
    return ratios;
}

void check_offsets(const nlvr::Vector<std::int64_t>& offsets, std::size_t rows) {
    if (offsets.size == 0 || offsets[0] != 0 || offsets[offsets.size - 1] != static_cast<std::int64_t>(rows)) {
        throw py::value_error("offsets: must start at 0 and end at the number of rows, " + to_string(rows));
    }
    for (std::size_t s = 0; s + 1 < offsets.size; ++s) {
        if (offsets[s] < offsets[s + 1]) continue;
        throw py::value_error("offsets: segment " + to_string(s) + " runs from row " + to_string(offsets[s]) + " to " +
                              to_string(offsets[s + 1]) + "; every segment needs at least one row");
    }
}

py::array_t<float> segment_mean(const py::object& rows, const py::object& offsets, const py::object& threads) {
    nlvr::chosen_isa();
    const py::array row_array = array<float>("rows", rows, "float32", 2, "[R, D]");
    const py::array offset_array = array<std::int64_t>("offsets", offsets, "int64", 1, "[S + 1]");
    const auto ends = vector<std::int64_t>(offset_array);
    check_offsets(ends, size(row_array, 0));
    const auto count = thread_count(threads);
    py::array_t<float> means(std::vector<py::ssize_t>{offset_array.shape(0) - 1, row_array.shape(1)});
    float* out = means.mutable_data();
    {
        const py::gil_scoped_release unlocked;
        nlvr::segment_mean(nlvr::FloatRows(matrix<float>(row_array)), ends, count, out);
    }
    return means;
}

std::vector<std::string> isas() {
    std::vector<std::string> names;
    for (const nlvr::Isa& isa : nlvr::available_isas()) names.push_back(isa.name);
    return names;
}

}  // namespace

PYBIND11_MODULE(_kernels, module) {
    // A docstring that opens with "name(arguments)\n--\n\n" gives the function a signature Python can inspect.
    py::options options;
    options.disable_function_signatures();
    module.doc() = "The compiled kernels; nlvr.engine.kernels documents them.";

    not_a_number =
        new_error(module, "NotANumberError",
                  "A result is not a number. `query_row` and `track_row` (topk) or `row` (mask_ratio) say which.",
                  {"query_row", "track_row", "row"});
    empty_box =
        new_error(module, "EmptyBoxError", "A box holds no cell. `row` is the first such row of `cells`.", {"row"});
    box_outside =
        new_error(module, "BoxOutsideError", "A box leaves its map. `row` is the first such row of `cells`.", {"row"});
    py::register_exception<nlvr::IsaUnavailableError>(module, "IsaUnavailableError", PyExc_RuntimeError);

    const auto threads = py::arg("threads") = py::none();
    module.def("topk", &topk, "topk(queries, tracks, k, allowed=None, threads=None)\n--\n\n", py::arg("queries"),
               py::arg("tracks"), py::arg("k"), py::arg("allowed") = py::none(), threads);
    module.def("masked_pool", &masked_pool, "masked_pool(features, cells, threads=None)\n--\n\n", py::arg("features"),
               py::arg("cells"), threads);
    module.def("mask_ratio", &mask_ratio, "mask_ratio(masks, cells, threads=None)\n--\n\n", py::arg("masks"),
               py::arg("cells"), threads);
    module.def("segment_mean", &segment_mean, "segment_mean(rows, offsets, threads=None)\n--\n\n", py::arg("rows"),
               py::arg("offsets"), threads);
    module.def("isa", [] { return nlvr::chosen_isa().name; }, "isa()\n--\n\n");
    module.def("isas", &isas, "isas()\n--\n\n");
    module.def("pool_size", &nlvr::pool_size, "pool_size()\n--\n\n");
    module.def("cgroup_cpus", &nlvr::cgroup_cpus, "cgroup_cpus(root)\n--\n\n", py::arg("root"));
}
