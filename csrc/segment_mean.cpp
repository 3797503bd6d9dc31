#include "segment_mean.hpp"

#include <algorithm>
#include <vector>

#include "isa.hpp"
#include "pool.hpp"

namespace nlvr {

void segment_mean(const AdjacentRows<float>& rows, const Vector<std::int64_t>& offsets,
                  std::optional<std::size_t> threads, float* means) {
    const std::size_t segments = offsets.size - 1, dims = rows.columns();
    const double work = static_cast<double>(rows.size()) * static_cast<double>(dims);
    parallel_ranges(segments, threads_for(threads, work), [&](std::size_t first, std::size_t last) {
        constexpr std::size_t kRows = 64;
        const Kernels& isa = kernels();
        std::vector<const float*> some;
        std::vector<float> buffer(rows.buffer_size(kRows));
        for (std::size_t s = first; s < last; ++s) {
            const auto begin = static_cast<std::size_t>(offsets[s]), end = static_cast<std::size_t>(offsets[s + 1]);
            float* mean = means + s * dims;
            std::fill(mean, mean + dims, 0.0f);
            for (std::size_t r = begin; r < end; r += some.size()) {
                some.resize(std::min(end - r, kRows));
                for (std::size_t i = 0; i < some.size(); ++i) {
                    some[i] = rows.row(r + i, buffer.data() + rows.buffer_size(i));
                }
                isa.add_rows(some.data(), some.size(), dims, mean);
            }
            const auto count = static_cast<float>(end - begin);
            for (std::size_t e = 0; e < dims; ++e) mean[e] /= count;
        }
    });
}

}  // namespace nlvr
