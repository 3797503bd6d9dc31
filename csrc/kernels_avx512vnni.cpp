// The same with the instructions for products of bytes.
#include "avx512.hpp"

namespace nlvr::avx512vnni {
constinit const Kernels kKernels = table<Avx512Lanes, Avx512Products>();
}
