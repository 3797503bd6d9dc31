// The Python face: checks every argument by name, borrows its memory and releases the GIL around the work.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "arguments.hpp"
#include "cpus.hpp"
#include "isa.hpp"
#include "pool.hpp"
#include "pooling.hpp"
#include "quantization.hpp"
#include "segment_mean.hpp"
#include "subnormals.hpp"
#include "topk.hpp"

namespace nlvr::python {
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

Allowed allowed_rows(const py::object& given, std::size_t rows) {
    if (given.is_none()) return {};
    const py::array array = any_array("allowed", given, "bool or uint8");
    const bool flags = holds<bool>(array);
    if (!flags && !holds<std::uint8_t>(array)) {
        throw py::type_error("allowed: " + type_of(array) +
                             ", wanted bool (one a row) or uint8 (np.packbits(…, bitorder=\"little\"))");
    }
    const std::size_t wanted = flags ? rows : (rows + 7) / 8;
    if (array.ndim() != 1 || size(array, 0) != wanted) {
        throw py::value_error("allowed: shape " + shape_of(array) + ", wanted [" + to_string(wanted) + "] for " +
                              to_string(rows) + " tracks in " + (flags ? "bool" : "packed bits"));
    }
    return {flags ? Allowed::Form::kFlags : Allowed::Form::kBits, vector<std::uint8_t>(array)};
}

// The four arrays of QuantizedRows.
CodeRows code_rows(const char* name, const py::tuple& parts) {
    constexpr std::size_t kParts = 4;
    if (parts.size() != kParts) {
        throw py::value_error(std::string(name) + ": a tuple of " + to_string(parts.size()) +
                              ", wanted the four arrays of QuantizedRows");
    }
    const std::string of = std::string(name) + ".";
    const py::array codes = array<std::int8_t>((of + "codes").c_str(), parts[0], 2, "[N, D]");
    const auto numbers = [&](const char* part, std::size_t at) {
        const std::string full = of + part;
        const py::array values = array<float>(full.c_str(), parts[at], 1, "[N]");
        if (values.shape(0) != codes.shape(0)) {
            throw py::value_error(full + ": shape " + shape_of(values) + ", wanted [" + to_string(codes.shape(0)) +
                                  "], one for each row of codes");
        }
        return vector<float>(values);
    };
    return {rows<std::int8_t>(codes), numbers("scales", 1), numbers("norms", 2), numbers("errors", 3)};
}

StoredRows stored_rows(const char* name, const py::object& given) {
    if (py::isinstance<py::tuple>(given)) {
        return StoredRows(code_rows(name, py::reinterpret_borrow<py::tuple>(given)));
    }
    const py::array stored = array<float, Float16, Bfloat16>(name, given, 2, "[N, D]");
    if (holds<float>(stored)) return StoredRows(rows<float>(stored));
    if (holds<Float16>(stored)) return StoredRows(rows<Float16>(stored));
    return StoredRows(rows<Bfloat16>(stored));
}

py::tuple topk(const py::object& queries, const py::object& tracks, const py::object& k, const py::object& allowed,
               const py::object& threads, const py::object& screen) {
    chosen_isa();
    const py::array query_array = array<float>("queries", queries, 2, "[Q, D]");
    const StoredRows track_rows = stored_rows("tracks", tracks);
    const std::size_t count = track_rows.size(), dims = track_rows.columns();
    if (size(query_array, 1) != dims) {
        throw py::value_error("queries: shape " + shape_of(query_array) + ", tracks: shape " + shape_of(count, dims) +
                              "; both need the same number of columns");
    }
    if (count > kMostTracks) {
        throw py::value_error("tracks: " + to_string(count) + " rows, wanted at most " + to_string(kMostTracks));
    }
    std::optional<CodeRows> codes;
    if (!screen.is_none()) {
        codes = code_rows("screen", py::cast<py::tuple>(screen));
        const std::size_t code_count = codes->codes.size(), code_dims = codes->codes.columns();
        if (code_count != count || code_dims != dims) {
            throw py::value_error("screen: codes of shape " + shape_of(code_count, code_dims) + ", wanted " +
                                  shape_of(count, dims) + ", those of tracks");
        }
    }
    const std::size_t best = std::min(at_least_one("k", k), count);
    const std::vector<py::ssize_t> shape{query_array.shape(0), static_cast<py::ssize_t>(best)};
    py::array_t<std::int64_t> ids(shape);
    py::array_t<float> scores(shape);
    py::array_t<std::int64_t> scored(query_array.shape(0));
    const TopK problem{.queries = rows<float>(query_array),
                       .tracks = track_rows,
                       .screen = codes ? &*codes : nullptr,
                       .allowed = allowed_rows(allowed, count),
                       .k = best,
                       .threads = thread_count(threads),
                       .ids = ids.mutable_data(),
                       .scores = scores.mutable_data(),
                       .scored = scored.mutable_data()};
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
    return py::make_tuple(ids, scores, scored);
}

py::tuple quantize(const py::object& given, const py::object& threads) {
    chosen_isa();
    const py::array row_array = array<float>("rows", given, 2, "[N, D]");
    const auto count = thread_count(threads);
    py::array_t<std::int8_t> codes(std::vector<py::ssize_t>{row_array.shape(0), row_array.shape(1)});
    // In one piece, which numpy puts into large pages sooner than three.
    py::array_t<float> scales_norms_errors(std::vector<py::ssize_t>{3, row_array.shape(0)});
    float* const scale = scales_norms_errors.mutable_data();
    float *const norm = scale + row_array.shape(0), *const error = norm + row_array.shape(0);
    float* const end = error + row_array.shape(0);
    const float* bad = nullptr;
    {
        std::int8_t* const code = codes.mutable_data();
        const py::gil_scoped_release unlocked;
        quantize_rows(rows<float>(row_array), count, code, scale, norm, error);
        bad = std::find_if(error, end, [](float value) { return std::isinf(value); });
    }
    if (bad != end) {
        const auto row = static_cast<std::size_t>(bad - error);
        raise(not_a_number, "rows: row " + to_string(row) + " is not finite, or longer than 2^63", {{"row", row}});
    }
    const auto row = [&](int n) { return py::object(scales_norms_errors[py::int_(n)]); };
    return py::make_tuple(codes, row(0), row(1), row(2));
}

Cells good_cells(const py::array& array, std::size_t frames, std::size_t height, std::size_t width) {
    if (array.shape(1) != 5) {
        throw py::value_error("cells: shape " + shape_of(array) + ", wanted [N, 5] (frame, x0, y0, x1, y1)");
    }
    const auto cells = matrix<std::int32_t>(array);
    const auto bad = first_bad_box(frames, height, width, cells);
    if (!bad) return cells;
    const auto row = cells.row(bad->row);
    const std::string what = "cells: row " + to_string(bad->row) + " (frame " + to_string(row[0]) + ", x " +
                             to_string(row[1]) + ":" + to_string(row[3]) + ", y " + to_string(row[2]) + ":" +
                             to_string(row[4]) + ")";
    if (bad->fault == BadBox::Fault::kEmpty) {
        raise(empty_box, what + " holds no cell; a box needs x0 < x1 and y0 < y1", {{"row", bad->row}});
    }
    raise(box_outside,
          what + " leaves the " + to_string(frames) + " maps of height " + to_string(height) + " and width " +
              to_string(width) + "; clip it first",
          {{"row", bad->row}});
}

template <class T>
Maps<T> feature_maps(const py::array& array) {
    return {bytes(array),     size(array, 0),   size(array, 1),   size(array, 2),  size(array, 3),
            array.strides(0), array.strides(1), array.strides(2), array.strides(3)};
}

template <class T>
Maps<T> mask_maps(const py::array& array) {
    return {bytes(array),     size(array, 0),  1, size(array, 1), size(array, 2), array.strides(0), 0,
            array.strides(1), array.strides(2)};
}

void check_offsets(const Vector<std::int64_t>& offsets, std::size_t rows) {
    if (offsets.size == 0 || offsets[0] != 0 || offsets[offsets.size - 1] != static_cast<std::int64_t>(rows)) {
        throw py::value_error("offsets: must start at 0 and end at the number of rows, " + to_string(rows));
    }
    for (std::size_t s = 0; s + 1 < offsets.size; ++s) {
        if (offsets[s] < offsets[s + 1]) continue;
        throw py::value_error("offsets: segment " + to_string(s) + " runs from row " + to_string(offsets[s]) + " to " +
                              to_string(offsets[s + 1]) + "; every segment needs at least one row");
    }
}

py::array_t<float> masked_pool(const py::object& features, const py::object& cells, const py::object& threads) {
    chosen_isa();
    const py::array maps = array<float, Float16>("features", features, 4, "[F, C, H, W]");
    const py::array cell_array = array<std::int32_t>("cells", cells, 2, "[N, 5]");
    const Cells boxes = good_cells(cell_array, size(maps, 0), size(maps, 2), size(maps, 3));
    const auto count = thread_count(threads);
    py::array_t<float> means(std::vector<py::ssize_t>{cell_array.shape(0), maps.shape(1)});
    float* out = means.mutable_data();
    const bool halves = holds<Float16>(maps);
    const py::gil_scoped_release unlocked;
    if (halves) {
        box_means(feature_maps<Float16>(maps), boxes, count, out);
    } else {
        box_means(feature_maps<float>(maps), boxes, count, out);
    }
    return means;
}

py::array_t<float> masked_pool_mean(const py::object& features, const py::object& cells, const py::object& offsets,
                                    const py::object& threads) {
    chosen_isa();
    const py::array maps = array<float, Float16>("features", features, 4, "[F, C, H, W]");
    const py::array cell_array = array<std::int32_t>("cells", cells, 2, "[N, 5]");
    const py::array offset_array = array<std::int64_t>("offsets", offsets, 1, "[S + 1]");
    const Cells boxes = good_cells(cell_array, size(maps, 0), size(maps, 2), size(maps, 3));
    const auto ends = vector<std::int64_t>(offset_array);
    check_offsets(ends, boxes.rows);
    const auto count = thread_count(threads);
    py::array_t<float> means(std::vector<py::ssize_t>{offset_array.shape(0) - 1, maps.shape(1)});
    float* out = means.mutable_data();
    const bool halves = holds<Float16>(maps);
    const py::gil_scoped_release unlocked;
    if (halves) {
        unit_box_means(feature_maps<Float16>(maps), boxes, ends, count, out);
    } else {
        unit_box_means(feature_maps<float>(maps), boxes, ends, count, out);
    }
    return means;
}

py::array_t<float> mask_ratio(const py::object& masks, const py::object& cells, const py::object& threads) {
    chosen_isa();
    const py::array maps = array<float, Float16, std::uint8_t>("masks", masks, 3, "[F, H, W]");
    const py::array cell_array = array<std::int32_t>("cells", cells, 2, "[N, 5]");
    const bool bits = holds<std::uint8_t>(maps), halves = holds<Float16>(maps);
    const Cells boxes = good_cells(cell_array, size(maps, 0), size(maps, 1), size(maps, 2) * (bits ? 8 : 1));
    const auto count = thread_count(threads);
    py::array_t<float> ratios(cell_array.shape(0));
    float* const out = ratios.mutable_data();
    float* const end = out + ratios.size();
    const float* bad = nullptr;
    {
        const py::gil_scoped_release unlocked;
        if (bits) {
            bit_ratios({bytes(maps), size(maps, 0), size(maps, 1), size(maps, 2), maps.strides(0), maps.strides(1),
                        maps.strides(2)},
                       boxes, count, out);
        } else if (halves) {
            box_means(mask_maps<Float16>(maps), boxes, count, out);
        } else {
            box_means(mask_maps<float>(maps), boxes, count, out);
        }
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

py::array_t<float> segment_mean(const py::object& given, const py::object& offsets, const py::object& threads) {
    chosen_isa();
    const py::array row_array = array<float>("rows", given, 2, "[R, D]");
    const py::array offset_array = array<std::int64_t>("offsets", offsets, 1, "[S + 1]");
    const auto ends = vector<std::int64_t>(offset_array);
    check_offsets(ends, size(row_array, 0));
    const auto count = thread_count(threads);
    py::array_t<float> means(std::vector<py::ssize_t>{offset_array.shape(0) - 1, row_array.shape(1)});
    float* out = means.mutable_data();
    {
        const py::gil_scoped_release unlocked;
        nlvr::segment_mean(rows<float>(row_array), ends, count, out);
    }
    return means;
}

std::vector<std::string> isas() {
    std::vector<std::string> names;
    for (const Isa& isa : available_isas()) names.push_back(isa.name);
    return names;
}

}  // namespace

void define(py::module_& module) {
    // A docstring that opens with "name(arguments)\n--\n\n" gives the function a signature Python can inspect.
    py::options options;
    options.disable_function_signatures();
    module.doc() = "The compiled kernels; nlvr.engine.kernels documents them.";

    not_a_number =
        new_error(module, "NotANumberError",
                  "A number is none. `query_row` and `track_row` (topk) or `row` (mask_ratio, quantize) say which.",
                  {"query_row", "track_row", "row"});
    empty_box =
        new_error(module, "EmptyBoxError", "A box holds no cell. `row` is the first such row of `cells`.", {"row"});
    box_outside =
        new_error(module, "BoxOutsideError", "A box leaves its map. `row` is the first such row of `cells`.", {"row"});
    py::register_exception<IsaUnavailableError>(module, "IsaUnavailableError", PyExc_RuntimeError);

    const auto threads = py::arg("threads") = py::none();
    const auto none = [](const char* name) { return py::arg(name) = py::none(); };
    module.def("topk", &topk, "topk(queries, tracks, k, allowed=None, threads=None, screen=None)\n--\n\n",
               py::arg("queries"), py::arg("tracks"), py::arg("k"), none("allowed"), none("threads"), none("screen"));
    module.def("quantize", &quantize, "quantize(rows, threads=None)\n--\n\n", py::arg("rows"), threads);
    module.def("masked_pool", &masked_pool, "masked_pool(features, cells, threads=None)\n--\n\n", py::arg("features"),
               py::arg("cells"), threads);
    module.def("masked_pool_mean", &masked_pool_mean,
               "masked_pool_mean(features, cells, offsets, threads=None)\n--\n\n", py::arg("features"),
               py::arg("cells"), py::arg("offsets"), threads);
    module.def("mask_ratio", &mask_ratio, "mask_ratio(masks, cells, threads=None)\n--\n\n", py::arg("masks"),
               py::arg("cells"), threads);
    module.def("segment_mean", &segment_mean, "segment_mean(rows, offsets, threads=None)\n--\n\n", py::arg("rows"),
               py::arg("offsets"), threads);
    module.def("isa", [] { return chosen_isa().name; }, "isa()\n--\n\n");
    module.def("isas", &isas, "isas()\n--\n\n");
    module.def("pool_size", &pool_size, "pool_size()\n--\n\n");
    module.def("flush_subnormals", &flush_subnormals, "flush_subnormals()\n--\n\n");
    module.def("cgroup_cpus", &cgroup_cpus, "cgroup_cpus(root)\n--\n\n", py::arg("root"));
}

}  // namespace nlvr::python

PYBIND11_MODULE(_kernels, module) { nlvr::python::define(module); }
