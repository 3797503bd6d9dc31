#include "avx512.hpp"

namespace nlvr::avx512 {
constinit const Kernels kKernels = table<Avx512Lanes, Avx512Products>(scores<Avx512Lanes>);
}
