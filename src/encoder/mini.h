// Internal to the module: `mini`, the built-in quality encoder, a small convolutional network that needs no
// download.
//
// Six convolutions with ReLU (5x5, then 3x3; strides 2, 2, 2, 1, 2, 1). Of every stage's channels four
// numbers go, as logarithms, through a hidden layer to the embedding: mean and deviation over the picture,
// and over its regions of 32 px the mean led by the strongest and the mean led by the weakest. Beside them
// stands how far and how often grey, red, green and blue lie near black and near white. Pooling over space
// makes it take any picture of 64 px or more; pooling every stage lets both fine noise and coarse structure
// be seen.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>

#include "encoder/checkpoint.h"
#include "encoder/network.h"

namespace quasar::encoder {

/// Fresh weights (He initialisation).
TensorMap random_mini_weights(std::uint64_t seed);

/// Normalised pixels [n, 3, h, w] -> pooled features [n, p], float32; differentiable. The convolutions
/// compute in the given type, everything else in float32.
torch::Tensor mini_features(const TensorMap& weights, const torch::Tensor& pixels,
                            torch::ScalarType convolutions);

/// Pooled features [n, p] -> embeddings [n, d]; differentiable.
torch::Tensor mini_head(const TensorMap& weights, const torch::Tensor& features);

/// Both: normalised pixels [n, 3, h, w] -> embeddings [n, d], float32; differentiable. The convolutions
/// compute in the given type, everything else in float32.
torch::Tensor mini_forward(const TensorMap& weights, const torch::Tensor& pixels,
                           torch::ScalarType convolutions);

/// Bytes of mini_forward without gradients at its peak, from above, without the pixels.
double mini_forward_bytes(double count, double height, double width, torch::ScalarType convolutions);

/// The network with these weights. Throws Error(kInput) listing what does not fit.
std::unique_ptr<Network> make_mini(TensorMap weights);

}  // namespace quasar::encoder
