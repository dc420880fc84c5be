// Internal to the module: the element-wise and row-wise parts of the networks on a CPU, in float32
// arithmetic, for float32 and bfloat16 storage. LibTorch's own take a tenth to a third of a transformer's
// time (its GELU goes through a slow erf, its bfloat16 layer norm is not vectorised); these are bound by
// memory. They exist once per instruction set and compute the same bits on each, because sums have a fixed
// order and products are not fused.
#pragma once

#include <torch/types.h>

#include <vector>

#include "encoder/cpu_kernels_table.h"

namespace quasar::encoder::cpu {

struct NamedKernels {
  const char* instruction_set;  ///< "plain", "AVX2", "AVX-512"
  const Kernels* kernels;
};

/// The implementation that is used: the last of usable_kernels().
const Kernels& fastest_kernels();

/// Every implementation that this processor can run, the fastest last. All give the same bits.
std::vector<NamedKernels> usable_kernels();

// The functions below take contiguous tensors, matrices over the last dimension, float32 or bfloat16;
// weights, biases and residuals are float32. They run the fastest usable kernels on the calling thread.

/// x [.., d], float32 -> out [.., d].
void layer_norm(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                double epsilon, torch::Tensor& out);
/// x = softmax(scale * x) over the last dimension, for a positive scale; what is 87 below the highest becomes
/// 0.
void softmax_(torch::Tensor& x, double scale);
/// x = gelu(x + bias), the exact form, by a rational erf with an error below 3e-7.
void bias_gelu_(torch::Tensor& x, const torch::Tensor& bias);
/// x = gelu(x + bias), the form with tanh.
void bias_gelu_tanh_(torch::Tensor& x, const torch::Tensor& bias);
/// x = silu(x + bias).
void bias_silu_(torch::Tensor& x, const torch::Tensor& bias);
/// out = silu(a + bias) * (b + bias) of the halves a, b of each row of x [.., 2 d]; out [.., d].
void bias_swiglu(const torch::Tensor& x, const torch::Tensor& bias, torch::Tensor& out);
/// residual += x + bias.
void add_residual(const torch::Tensor& x, const torch::Tensor& bias, torch::Tensor& residual);

}  // namespace quasar::encoder::cpu
