// The same with the instructions for products of bytes.
#include "avx512.hpp"

namespace nlvr::avx512vnni {
constinit const Kernels kKernels = [] {
    Kernels all = table<Avx512Lanes, Avx512Products>(turned_scores<Avx512Lanes>);
    all.products = turned_codes::products;
    return all;
}();
}  // namespace nlvr::avx512vnni
