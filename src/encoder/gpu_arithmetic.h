// Internal to the module: how LibTorch computes on a GPU.
#pragma once

namespace quasar::encoder {

/// Sets, for the whole process, that float32 means float32 and that a result repeats bit for bit. By default
/// cuDNN convolves float32 in TensorFloat-32, which keeps ten bits of the fraction, and may choose other
/// algorithms, hence other last bits, in another run.
void compute_as_named_and_repeatably();

}  // namespace quasar::encoder
