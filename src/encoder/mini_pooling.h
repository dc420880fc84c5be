// Internal to the module: what `mini` keeps of a picture, whatever its size: numbers per channel over the
// picture and over its regions. On a CPU each is one pass over the activations, forwards and backwards, where
// LibTorch's separate operators make twenty and take most of a training step.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace quasar::encoder {

/// Of activations x [n, c, h, w], not negative, float32 or bfloat16, four numbers per channel, [n, 4 c],
/// float32: the logarithms of the mean and of the deviation over the picture, then over its regions of
/// `side` x `side` (the rest at the right and the bottom belongs to none) the logarithm of the mean of fourth
/// powers of a region's mean, a quarter of it, and the mean of the logarithms. Differentiable.
torch::Tensor pool_channels(const torch::Tensor& x, std::int64_t side);

/// Of ramps max(0, weight [t, 3] . pixel + bias [t]) at every second pixel in each direction of pixels
/// [n, 3, h, w], float32, which have the same distribution of tones as all have: the logarithms of the mean
/// and of the mean square, [n, 2 t]. Differentiable with respect to weight and bias alone.
torch::Tensor pool_tones(const torch::Tensor& pixels, const torch::Tensor& weight, const torch::Tensor& bias);

/// The second by LibTorch's operators, for other devices than the CPU; equal but for rounding.
torch::Tensor pool_tones_by_operators(const torch::Tensor& pixels, const torch::Tensor& weight,
                                      const torch::Tensor& bias);

}  // namespace quasar::encoder
