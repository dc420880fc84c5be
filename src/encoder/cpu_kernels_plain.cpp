// The kernels for any processor.
#include "encoder/cpu_kernels_body.h"

namespace quasar::encoder::cpu {

const Kernels kPlainKernels = kKernels;

}  // namespace quasar::encoder::cpu
