#include "encoder/cpu_kernels.h"

#include "base/errors.h"

namespace quasar::encoder::cpu {
namespace {

std::uint16_t* bits(const torch::Tensor& tensor) {
  return static_cast<std::uint16_t*>(tensor.data_ptr());
}

float* floats(const torch::Tensor& tensor) {
  QUASAR_CHECK(tensor.scalar_type() == torch::kFloat32 && tensor.is_contiguous());
  return static_cast<float*>(tensor.data_ptr());
}

bool is_float(const torch::Tensor& tensor) {
  QUASAR_CHECK(tensor.is_contiguous() && tensor.is_cpu());
  QUASAR_CHECK(tensor.scalar_type() == torch::kFloat32 || tensor.scalar_type() == torch::kBFloat16);
  return tensor.scalar_type() == torch::kFloat32;
}

std::int64_t columns_of(const torch::Tensor& tensor) {
  QUASAR_CHECK(tensor.dim() > 0 && tensor.size(-1) > 0);
  return tensor.size(-1);
}

}  // namespace

std::vector<NamedKernels> usable_kernels() {
  std::vector<NamedKernels> usable = {{"plain", &kPlainKernels}};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) usable.push_back({"AVX2", &kAvx2Kernels});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    usable.push_back({"AVX-512", &kAvx512Kernels});
#endif
  return usable;
}

const Kernels& fastest_kernels() {
  static const Kernels& fastest = *usable_kernels().back().kernels;
  return fastest;
}

void layer_norm(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias,
                double epsilon, torch::Tensor& out) {
  const std::int64_t columns = columns_of(x);
  const std::int64_t rows = x.numel() / columns;
  const RowNorm norm{floats(weight), floats(bias), static_cast<float>(epsilon)};
  QUASAR_CHECK(out.numel() == x.numel() && weight.numel() == columns && bias.numel() == columns);
  if (is_float(out)) {
    fastest_kernels().of_float.layer_norm(floats(x), rows, columns, norm, floats(out));
  } else {
    fastest_kernels().of_bfloat16.layer_norm(floats(x), rows, columns, norm, bits(out));
  }
}

void softmax_(torch::Tensor& x, double scale) {
  QUASAR_CHECK(scale > 0.0);
  const std::int64_t columns = columns_of(x);
  const std::int64_t rows = x.numel() / columns;
  if (is_float(x)) {
    fastest_kernels().of_float.softmax(floats(x), rows, columns, static_cast<float>(scale));
  } else {
    fastest_kernels().of_bfloat16.softmax(bits(x), rows, columns, static_cast<float>(scale));
  }
}

void bias_gelu_(torch::Tensor& x, const torch::Tensor& bias) {
  const std::int64_t columns = columns_of(x);
  const std::int64_t rows = x.numel() / columns;
  QUASAR_CHECK(bias.numel() == columns);
  if (is_float(x)) {
    fastest_kernels().of_float.bias_gelu(floats(x), rows, columns, floats(bias));
  } else {
    fastest_kernels().of_bfloat16.bias_gelu(bits(x), rows, columns, floats(bias));
  }
}

void bias_gelu_tanh_(torch::Tensor& x, const torch::Tensor& bias) {
  const std::int64_t columns = columns_of(x);
  const std::int64_t rows = x.numel() / columns;
  QUASAR_CHECK(bias.numel() == columns);
  if (is_float(x)) {
    fastest_kernels().of_float.bias_gelu_tanh(floats(x), rows, columns, floats(bias));
  } else {
    fastest_kernels().of_bfloat16.bias_gelu_tanh(bits(x), rows, columns, floats(bias));
  }
}

void bias_silu_(torch::Tensor& x, const torch::Tensor& bias) {
  const std::int64_t columns = columns_of(x);
  const std::int64_t rows = x.numel() / columns;
  QUASAR_CHECK(bias.numel() == columns);
  if (is_float(x)) {
    fastest_kernels().of_float.bias_silu(floats(x), rows, columns, floats(bias));
  } else {
    fastest_kernels().of_bfloat16.bias_silu(bits(x), rows, columns, floats(bias));
  }
}

void bias_swiglu(const torch::Tensor& x, const torch::Tensor& bias, torch::Tensor& out) {
  const std::int64_t columns = columns_of(out);
  const std::int64_t rows = out.numel() / columns;
  QUASAR_CHECK(x.numel() == 2 * out.numel() && bias.numel() == 2 * columns && is_float(x) == is_float(out));
  if (is_float(x)) {
    fastest_kernels().of_float.bias_swiglu(floats(x), rows, columns, floats(bias), floats(out));
  } else {
    fastest_kernels().of_bfloat16.bias_swiglu(bits(x), rows, columns, floats(bias), bits(out));
  }
}

void add_residual(const torch::Tensor& x, const torch::Tensor& bias, torch::Tensor& residual) {
  const std::int64_t columns = columns_of(x);
  const std::int64_t rows = x.numel() / columns;
  QUASAR_CHECK(bias.numel() == columns && residual.numel() == x.numel());
  if (is_float(x)) {
    fastest_kernels().of_float.add_residual(floats(x), rows, columns, floats(bias), floats(residual));
  } else {
    fastest_kernels().of_bfloat16.add_residual(bits(x), rows, columns, floats(bias), floats(residual));
  }
}

}  // namespace quasar::encoder::cpu
