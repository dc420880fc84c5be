// The kernels for AVX2; the compiler is told so in CMakeLists.txt.
// For other processors than x86-64 it is not, and this is one more copy of the plain kernels.
#include "encoder/cpu_kernels_body.h"

namespace quasar::encoder::cpu {

const Kernels kAvx2Kernels = kKernels;

}  // namespace quasar::encoder::cpu
