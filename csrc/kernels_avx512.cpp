#include "avx512.hpp"

namespace nlvr::avx512 {
constinit const Kernels kKernels = table<Avx512Lanes, Avx512Products>(turned_scores<Avx512Lanes>);
}
