// The library's one thread pool, made when first needed and safe after fork.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>

namespace nlvr {

// The most threads a kernel uses unless told otherwise.
std::size_t pool_size();

// How many threads a kernel asked for `wanted` uses. Left open, work below a few microseconds a thread is not split;
// `work` counts the floats that are multiplied or added.
std::size_t threads_for(std::optional<std::size_t> wanted, double work);

// Runs task(0) … task(tasks - 1), at most `threads` at once, the caller among them, and returns when all are done.
// Rethrows the first exception of a task. Rounding and denormals are the default ones inside a task.
void parallel(std::size_t tasks, std::size_t threads, const std::function<void(std::size_t)>& task);

// The same over [0, units) cut into `threads` even ranges.
void parallel_ranges(std::size_t units, std::size_t threads,
                     const std::function<void(std::size_t begin, std::size_t end)>& range);

}  // namespace nlvr
