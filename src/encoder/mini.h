// Internal to the module: `mini`, the built-in quality encoder, a small convolutional network that needs no
// download.
//
// Four 3x3 convolutions (strides 1, 2, 2, 2) with ReLU; the mean and the deviation of every stage's channels
// over the picture, as logarithms, go through a hidden layer to the embedding. Pooling over space makes it
// take any picture of 64 px or more, and pooling every stage lets both fine noise and coarse structure be
// seen.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>

#include "encoder/checkpoint.h"
#include "encoder/network.h"

namespace quasar::encoder {

/// What `mini` expects: native resolution, the shorter side reduced to 512 px where it is longer.
base::InputSpec mini_input_spec();

/// Fresh weights (He initialisation).
TensorMap random_mini_weights(std::uint64_t seed);

/// Normalised pixels [n, 3, h, w] -> embeddings [n, d], float32; differentiable. The convolutions compute in
/// the given type, everything else in float32.
torch::Tensor mini_forward(const TensorMap& weights, const torch::Tensor& pixels,
                           torch::ScalarType convolutions);

/// The network with these weights. Throws Error(kInput) listing what does not fit.
std::unique_ptr<Network> make_mini(TensorMap weights);

}  // namespace quasar::encoder
