#include "cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

namespace nlvr {
namespace {

std::size_t affinity_cpus() {
    for (int cpus = 1024; cpus <= (1 << 20); cpus *= 2) {
        cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(cpus));
        if (set == nullptr) break;
        const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
        const int failed = sched_getaffinity(0, bytes, set);
        const int count = failed == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (count > 0) return static_cast<std::size_t>(count);
    }
    return std::max(1u, std::thread::hardware_concurrency());
}

using Quota = std::optional<double>;

Quota smaller(Quota a, Quota b) { return a && b ? std::min(*a, *b) : a ? a : b; }

// cgroup v2: "max 100000" or "150000 100000" (microseconds of CPU in each period).
Quota quota_v2(const std::string& folder) {
    std::ifstream file(folder + "/cpu.max");
    double quota = 0, period = 0;
    return file >> quota >> period && quota > 0 && period > 0 ? Quota(quota / period) : std::nullopt;
}

Quota quota_v1(const std::string& folder) {
    double quota = 0, period = 0;
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
    return quota > 0 && period > 0 ? Quota(quota / period) : std::nullopt;
}

// A group is bound by every group above it. Inside a container the path may not be there; its mount's root is.
Quota along(const std::string& mount, std::string path, Quota (*read)(const std::string&)) {
    Quota quota = read(mount);
    for (; path.size() > 1 && path.front() == '/'; path.resize(path.rfind('/'))) {
        quota = smaller(quota, read(mount + path));
    }
    return quota;
}

bool names_cpu(const std::string& controllers) {
    std::istringstream list(controllers);
    for (std::string name; std::getline(list, name, ',');) {
        if (name == "cpu") return true;
    }
    return false;
}

}  // namespace

std::optional<std::size_t> cgroup_cpus(const std::string& root) {
    const std::string mount = root + "/sys/fs/cgroup";
    std::ifstream groups(root + "/proc/self/cgroup");
    Quota quota;
    for (std::string line; std::getline(groups, line);) {  // "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1)
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const std::string path = line.substr(second + 1);
        if (controllers.empty()) {
            quota = smaller(quota, along(mount, path, quota_v2));
        } else if (names_cpu(controllers)) {
            quota = smaller(quota, along(mount + "/cpu", path, quota_v1));
            quota = smaller(quota, along(mount + "/" + controllers, path, quota_v1));
        }
    }
    if (!quota) return std::nullopt;
    return static_cast<std::size_t>(std::max(1.0, std::ceil(*quota)));
}

std::size_t usable_cpus() {
    const std::size_t cpus = affinity_cpus();
    return std::min(cpus, cgroup_cpus("").value_or(cpus));
}

}  // namespace nlvr
