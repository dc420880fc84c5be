#include "encoder/gpu_arithmetic.h"

#include <ATen/Context.h>

namespace quasar::encoder {

void compute_as_named_and_repeatably() {
  at::Context& context = at::globalContext();
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
  context.setBenchmarkCuDNN(false);
  context.setDeterministicCuDNN(true);
}

}  // namespace quasar::encoder
