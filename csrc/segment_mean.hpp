// Means over runs of rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "views.hpp"

namespace nlvr {

// means[s] = (rows[offsets[s]] + … + rows[offsets[s + 1] - 1]) / how many they are, added in that order. `offsets` rise
// strictly from 0 to the number of rows.
void segment_mean(const AdjacentRows<float>& rows, const Vector<std::int64_t>& offsets,
                  std::optional<std::size_t> threads, float* means);

}  // namespace nlvr
