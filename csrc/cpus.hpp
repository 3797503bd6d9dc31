// How many CPUs this process may use.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace nlvr {

// The CPUs the scheduler may run it on, within its cgroup's quota.
std::size_t usable_cpus();

// The CPUs that the cgroup's quota (v1 or v2) is worth, rounded up; none without a quota.
// `root` is where /proc and /sys lie: "" on a real machine.
std::optional<std::size_t> cgroup_cpus(const std::string& root);

}  // namespace nlvr
