// Internal to the module: one implementation of the kernels of cpu_kernels.h, once for each instruction set.
// bfloat16 numbers are their bits.
#pragma once

#include <cstdint>

namespace quasar::encoder::cpu {

/// Normalises rows: (x - mean) / sqrt(variance + epsilon) * weight + bias.
struct RowNorm {
  const float* weight;
  const float* bias;
  float epsilon;
};

/// Kernels for matrices of T. Contiguous, row-major, single-threaded; see cpu_kernels.h.
template <typename T>
struct KernelsOf {
  void (*layer_norm)(const float* x, std::int64_t rows, std::int64_t columns, const RowNorm& norm, T* out);
  void (*softmax)(T* x, std::int64_t rows, std::int64_t columns, float scale);
  void (*bias_gelu)(T* x, std::int64_t rows, std::int64_t columns, const float* bias);
  void (*bias_gelu_tanh)(T* x, std::int64_t rows, std::int64_t columns, const float* bias);
  void (*bias_silu)(T* x, std::int64_t rows, std::int64_t columns, const float* bias);
  void (*bias_swiglu)(const T* x, std::int64_t rows, std::int64_t columns, const float* bias, T* out);
  void (*add_residual)(const T* x, std::int64_t rows, std::int64_t columns, const float* bias,
                       float* residual);
  void (*add_moments)(const T* x, std::int64_t count, float* sum, float* square);
  void (*affine)(const T* x, std::int64_t count, const float* shift, const float* factor, T* out);
};

/// Ramps max(0, weight . pixel + bias) of pixels with three channels.
struct Ramps {
  static constexpr std::int64_t kCount = 32;
  const float* weight;  ///< [3, kCount]
  const float* bias;    ///< [kCount]
};

struct Kernels {
  KernelsOf<float> of_float;
  KernelsOf<std::uint16_t> of_bfloat16;
  void (*add_ramp_moments)(const float* pixels, std::int64_t count, const Ramps& ramps, float* sum,
                           float* square);
  void (*add_ramp_gradient)(const float* pixels, std::int64_t count, const Ramps& ramps,
                            const float* sum_gradient, const float* square_gradient, float* gradient);
};

// Only usable_kernels says which of these this processor can run.
extern const Kernels kPlainKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;

}  // namespace quasar::encoder::cpu
