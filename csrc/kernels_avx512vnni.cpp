// The same with the instructions for products of bytes.
#include "avx512.hpp"

namespace nlvr::avx512vnni {
constinit const Kernels kKernels =
    table<Avx512Lanes, Avx512Products>(turned_scores<Avx512Lanes>, turned_codes::products);
}  // namespace nlvr::avx512vnni
