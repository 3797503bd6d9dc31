// Which instruction set runs: the best this CPU and its operating system have, or the one NLVR_ISA names.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace nlvr {

struct IsaUnavailableError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Isa {
    std::string name;
    const Kernels* kernels;
    // Whether this process may use it from now on: what Linux must allow first is asked for.
    bool (*usable)() = [] { return true; };
};

// Those that run here, slowest first.
std::vector<Isa> available_isas();

// Chosen once, at the first use. Throws IsaUnavailableError where NLVR_ISA names one that is unknown or not here.
const Isa& chosen_isa();

inline const Kernels& kernels() { return *chosen_isa().kernels; }

}  // namespace nlvr
