#include "storage.hpp"

#include <tuple>
#include <utility>
#include <vector>

#include "isa.hpp"

namespace nlvr {
namespace {

template <class T>
std::pair<std::size_t, std::size_t> shape(const AdjacentRows<T>& rows) {
    return {rows.size(), rows.columns()};
}
std::pair<std::size_t, std::size_t> shape(const CodeRows& rows) { return shape(rows.codes); }

template <class T, class Widen>
void with_row(const AdjacentRows<T>& rows, std::size_t i, const Widen& widen) {
    std::vector<T> gathered(rows.buffer_size(1));
    widen(rows.row(i, gathered.data()));
}

struct Widened {
    std::size_t i, columns;
    float* to;

    void operator()(const AdjacentRows<float>& /*rows*/) const {}  // are lent or gathered as they are
    void operator()(const AdjacentRows<Float16>& rows) const {
        with_row(rows, i, [&](const Float16* from) { kernels().widen_float16(from, columns, to); });
    }
    void operator()(const AdjacentRows<Bfloat16>& rows) const {
        with_row(rows, i, [&](const Bfloat16* from) { kernels().widen_bfloat16(from, columns, to); });
    }
    void operator()(const CodeRows& rows) const {
        with_row(rows.codes, i,
                 [&](const std::int8_t* from) { kernels().widen_codes(from, columns, rows.scales[i], to); });
    }
};

}  // namespace

StoredRows::StoredRows(const Storage& storage) : storage_(storage) {
    std::tie(size_, columns_) = std::visit([](const auto& rows) { return shape(rows); }, storage_);
}

const float* StoredRows::widened(std::size_t i, float* buffer) const {
    std::visit(Widened{i, columns_, buffer}, storage_);
    return buffer;
}

}  // namespace nlvr
