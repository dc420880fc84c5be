#include "encoder/cpu_kernels.h"

#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/errors.h"

namespace quasar::encoder::cpu {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

torch::Tensor made(torch::IntArrayRef shape, double spread = 1.0) {
  static at::Generator generator = at::detail::createCPUGenerator(7);
  return at::empty(shape, torch::kFloat32).normal_(0.0, spread, generator);
}

std::vector<torch::Tensor> shapes_of_columns() {
  std::vector<torch::Tensor> matrices;
  for (const std::int64_t columns : {1, 2, 15, 16, 17, 31, 32, 33, 49, 257})
    for (const std::int64_t rows : {1, 3}) matrices.push_back(made({rows, columns}, 3.0));
  return matrices;
}

float* floats(const torch::Tensor& tensor) {
  return tensor.data_ptr<float>();
}

std::uint16_t* bits(const torch::Tensor& tensor) {
  return static_cast<std::uint16_t*>(tensor.data_ptr());
}

void expect_close(const torch::Tensor& found, const torch::Tensor& wanted, double tolerance,
                  const std::string& what) {
  ASSERT_EQ(found.sizes(), wanted.sizes()) << what;
  const torch::Tensor error = (found.to(torch::kFloat64) - wanted).abs() / wanted.abs().clamp_min(1.0);
  EXPECT_LE(error.max().item<double>(), tolerance) << what;
}

bool same_bytes(const torch::Tensor& a, const torch::Tensor& b) {
  return a.nbytes() == b.nbytes() && std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}

/// One kernel: what it makes of x (float32 or bfloat16) with parameters of x's columns, and what it should.
struct KernelCase {
  std::string name;
  std::function<torch::Tensor(const Kernels&, const torch::Tensor& x, const torch::Tensor& p)> run;
  std::function<torch::Tensor(const torch::Tensor& x, const torch::Tensor& p)> reference;  ///< In float64.
};

template <typename FloatKernel, typename HalfKernel>
torch::Tensor activate(FloatKernel of_float, HalfKernel of_bfloat16, const torch::Tensor& x,
                       const torch::Tensor& p) {
  torch::Tensor result = x.clone();
  if (x.scalar_type() == torch::kFloat32) {
    of_float(floats(result), x.size(0), x.size(1), floats(p));
  } else {
    of_bfloat16(bits(result), x.size(0), x.size(1), floats(p));
  }
  return result;
}

std::vector<KernelCase> kernel_cases() {
  return {
      {"softmax",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor&) {
         torch::Tensor result = x.clone();
         if (x.scalar_type() == torch::kFloat32) {
           kernels.of_float.softmax(floats(result), x.size(0), x.size(1), 0.7F);
         } else {
           kernels.of_bfloat16.softmax(bits(result), x.size(0), x.size(1), 0.7F);
         }
         return result;
       },
       [](const torch::Tensor& x, const torch::Tensor&) { return at::softmax(0.7 * x, -1); }},
      {"bias_gelu_tanh",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor& p) {
         return activate(kernels.of_float.bias_gelu_tanh, kernels.of_bfloat16.bias_gelu_tanh, x, p);
       },
       [](const torch::Tensor& x, const torch::Tensor& p) { return at::gelu(x + p, "tanh"); }},
      {"bias_gelu",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor& p) {
         return activate(kernels.of_float.bias_gelu, kernels.of_bfloat16.bias_gelu, x, p);
       },
       [](const torch::Tensor& x, const torch::Tensor& p) { return at::gelu(x + p); }},
      {"bias_silu",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor& p) {
         return activate(kernels.of_float.bias_silu, kernels.of_bfloat16.bias_silu, x, p);
       },
       [](const torch::Tensor& x, const torch::Tensor& p) { return at::silu(x + p); }},
      {"bias_swiglu",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor& p) {
         const torch::Tensor both = at::cat({x, x.flip(1)}, 1);
         const torch::Tensor biases = at::cat({p, p.neg()});
         torch::Tensor result = at::empty_like(x);
         if (x.scalar_type() == torch::kFloat32) {
           kernels.of_float.bias_swiglu(floats(both), x.size(0), x.size(1), floats(biases), floats(result));
         } else {
           kernels.of_bfloat16.bias_swiglu(bits(both), x.size(0), x.size(1), floats(biases), bits(result));
         }
         return result;
       },
       [](const torch::Tensor& x, const torch::Tensor& p) { return at::silu(x + p) * (x.flip(1) - p); }},
      {"add_residual",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor& p) {
         torch::Tensor residual = at::ones(x.sizes(), torch::kFloat32);
         if (x.scalar_type() == torch::kFloat32) {
           kernels.of_float.add_residual(floats(x), x.size(0), x.size(1), floats(p), floats(residual));
         } else {
           kernels.of_bfloat16.add_residual(bits(x), x.size(0), x.size(1), floats(p), floats(residual));
         }
         return residual;
       },
       [](const torch::Tensor& x, const torch::Tensor& p) { return x + p + 1.0; }},
      {"layer_norm",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor& p) {
         const RowNorm norm{floats(p), floats(p), 1e-5F};
         const torch::Tensor full = x.to(torch::kFloat32);
         torch::Tensor result = at::empty_like(x);
         if (x.scalar_type() == torch::kFloat32) {
           kernels.of_float.layer_norm(floats(full), x.size(0), x.size(1), norm, floats(result));
         } else {
           kernels.of_bfloat16.layer_norm(floats(full), x.size(0), x.size(1), norm, bits(result));
         }
         return result;
       },
       [](const torch::Tensor& x, const torch::Tensor& p) {
         return at::layer_norm(x, {x.size(1)}, p, p, 1e-5);
       }},
      {"add_moments",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor&) {
         torch::Tensor result = at::ones({2, x.size(0), x.size(1)}, torch::kFloat32);
         float* const square = floats(result) + x.numel();
         if (x.scalar_type() == torch::kFloat32) {
           kernels.of_float.add_moments(floats(x), x.numel(), floats(result), square);
         } else {
           kernels.of_bfloat16.add_moments(bits(x), x.numel(), floats(result), square);
         }
         return result[0];
       },
       [](const torch::Tensor& x, const torch::Tensor&) { return 1.0 + x; }},
      {"affine",
       [](const Kernels& kernels, const torch::Tensor& x, const torch::Tensor& p) {
         const torch::Tensor shift = p.expand_as(x).contiguous();
         const torch::Tensor factor = shift.neg();
         torch::Tensor result = at::empty_like(x);
         if (x.scalar_type() == torch::kFloat32) {
           kernels.of_float.affine(floats(x), x.numel(), floats(shift), floats(factor), floats(result));
         } else {
           kernels.of_bfloat16.affine(bits(x), x.numel(), floats(shift), floats(factor), bits(result));
         }
         return result;
       },
       [](const torch::Tensor& x, const torch::Tensor& p) { return p - p * x; }}};
}

TEST(CpuKernels, AgreeWithPlainReferencesForEveryInstructionSet) {
  for (const torch::Tensor& full : shapes_of_columns()) {
    const torch::Tensor parameters = made({full.size(1)});
    for (const torch::ScalarType type : {torch::kFloat32, torch::kBFloat16}) {
      const torch::Tensor x = full.to(type);
      for (const KernelCase& kernel : kernel_cases()) {
        const torch::Tensor wanted = kernel.reference(x.to(torch::kFloat64), parameters.to(torch::kFloat64));
        for (const NamedKernels& set : usable_kernels()) {
          const torch::Tensor found = kernel.run(*set.kernels, x, parameters);
          // Products that go through bfloat16 are rounded to 8 bits, softmax twice.
          expect_close(found, wanted, found.scalar_type() == torch::kFloat32 ? 3e-6 : 1.0 / 128.0,
                       kernel.name + " " + set.instruction_set + " columns " + std::to_string(full.size(1)));
        }
      }
    }
  }
}

TEST(CpuKernels, GiveTheSameBitsForEveryInstructionSet) {
  for (const torch::Tensor& full : shapes_of_columns()) {
    const torch::Tensor parameters = made({full.size(1)});
    for (const torch::ScalarType type : {torch::kFloat32, torch::kBFloat16}) {
      const torch::Tensor x = full.to(type);
      for (const KernelCase& kernel : kernel_cases()) {
        const torch::Tensor plain = kernel.run(kPlainKernels, x, parameters);
        for (const NamedKernels& set : usable_kernels())
          EXPECT_TRUE(same_bytes(kernel.run(*set.kernels, x, parameters), plain))
              << kernel.name << " " << set.instruction_set << " columns " << full.size(1);
      }
    }
  }
}

TEST(CpuKernels, SquaresAndRampsHaveTheSameBitsForEveryInstructionSet) {
  const torch::Tensor x = made({257}, 3.0);
  const torch::Tensor pixels = made({50, 3});
  const torch::Tensor weight = made({3, Ramps::kCount});
  const torch::Tensor bias = made({Ramps::kCount});
  const torch::Tensor given = made({2, Ramps::kCount});
  const Ramps ramps{floats(weight), floats(bias)};
  const auto run = [&](const Kernels& kernels) {
    torch::Tensor moments = at::zeros({2, 257});
    kernels.of_float.add_moments(floats(x), 257, floats(moments), floats(moments) + 257);
    torch::Tensor tones = at::zeros({6, Ramps::kCount});
    kernels.add_ramp_moments(floats(pixels), 50, ramps, floats(tones), floats(tones) + Ramps::kCount);
    kernels.add_ramp_gradient(floats(pixels), 50, ramps, floats(given), floats(given) + Ramps::kCount,
                              floats(tones) + 2 * Ramps::kCount);
    return at::cat({moments.flatten(), tones.flatten()});
  };
  const torch::Tensor plain = run(kPlainKernels);
  expect_close(plain.slice(0, 257, 514), x.to(torch::kFloat64).square(), 1e-6, "squares");
  for (const NamedKernels& set : usable_kernels())
    EXPECT_TRUE(same_bytes(run(*set.kernels), plain)) << set.instruction_set;
}

TEST(CpuKernels, TouchNothingOutsideTheirRows) {
  constexpr std::int64_t kMargin = 40;
  for (const std::int64_t columns : {1, 15, 16, 17, 33}) {
    for (const NamedKernels& set : usable_kernels()) {
      torch::Tensor whole = at::full({2 * kMargin + 2 * columns}, 5.0F);
      float* const x = floats(whole) + kMargin;
      const torch::Tensor bias = made({columns});
      set.kernels->of_float.softmax(x, 2, columns, 1.0F);
      set.kernels->of_float.bias_gelu(x, 2, columns, floats(bias));
      set.kernels->of_float.bias_silu(x, 2, columns, floats(bias));
      set.kernels->of_float.layer_norm(x, 2, columns, {floats(bias), floats(bias), 1e-5F}, x);
      set.kernels->of_float.softmax(x, 0, columns, 1.0F);
      set.kernels->of_float.affine(x, columns, floats(bias), floats(bias), x);
      set.kernels->of_float.add_moments(floats(bias), columns, x, x + columns);
      EXPECT_TRUE(whole.narrow(0, 0, kMargin).eq(5.0F).all().item<bool>()) << set.instruction_set;
      EXPECT_TRUE(whole.narrow(0, kMargin + 2 * columns, kMargin).eq(5.0F).all().item<bool>())
          << set.instruction_set;
    }
  }
}

TEST(CpuKernels, ActivationsHoldFarFromZero) {
  const torch::Tensor far =
      at::cat({at::arange(-40.0F, 40.0F, 0.01F), torch::tensor({-1e30F, -1e4F, -88.5F, 88.5F, 1e4F, 1e30F})});
  const torch::Tensor zero = at::zeros(far.sizes(), torch::kFloat32);
  torch::Tensor found = far.clone();
  bias_gelu_(found, zero);
  expect_close(found / far.abs().clamp_min(1.0), at::gelu(far.to(torch::kFloat64)) / far.abs().clamp_min(1.0),
               4e-7, "gelu");
  torch::Tensor tanh_form = far.clone();
  bias_gelu_tanh_(tanh_form, zero);
  expect_close(tanh_form / far.abs().clamp_min(1.0),
               at::gelu(far.to(torch::kFloat64), "tanh") / far.abs().clamp_min(1.0), 4e-7, "gelu by tanh");
  found = far.clone();
  bias_silu_(found, zero);
  expect_close(found / far.abs().clamp_min(1.0), at::silu(far.to(torch::kFloat64)) / far.abs().clamp_min(1.0),
               4e-7, "silu");
}

TEST(CpuKernels, KeepNotANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const torch::ScalarType type : {torch::kFloat32, torch::kBFloat16}) {
    const torch::Tensor x = torch::tensor({{1.0F, nan, 2.0F}}).to(type);
    const torch::Tensor one = at::ones({3}, torch::kFloat32);
    for (const KernelCase& kernel : kernel_cases())
      for (const NamedKernels& set : usable_kernels())
        EXPECT_TRUE(kernel.run(*set.kernels, x, one)[0][1].isnan().item<bool>())
            << kernel.name << " " << set.instruction_set;
  }
}

TEST(CpuKernels, SoftmaxOfMaskedScoresIsExactlyZeroThere) {
  for (const std::int64_t columns : {3, 16, 21}) {
    torch::Tensor scores = made({4, columns}, 2.0);
    scores.select(1, columns - 1).fill_(-kInfinity);
    scores.select(1, 0).add_(1e4);  // The rest is far below: no subnormal numbers.
    softmax_(scores, 1.0);
    EXPECT_TRUE(scores.narrow(1, 1, columns - 1).eq(0.0F).all().item<bool>());
    EXPECT_TRUE(scores.select(1, 0).eq(1.0F).all().item<bool>());
  }
}

TEST(CpuKernels, LayerNormOfAConstantRowIsItsBias) {
  const torch::Tensor weight = made({19});
  const torch::Tensor bias = made({19});
  torch::Tensor found = at::empty({2, 19}, torch::kFloat32);
  layer_norm(at::full({2, 19}, 3.0F), weight, bias, 1e-5, found);
  EXPECT_TRUE(at::equal(found, bias.expand({2, 19})));
}

TEST(CpuKernels, RoundToBFloat16AsLibTorchDoes) {
  // Every upper half with lower halves around the tie, infinities, subnormals and NaNs among them.
  const std::vector<std::uint32_t> lower = {0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0xFFFF};
  torch::Tensor x = at::empty({static_cast<std::int64_t>(0x10000 * lower.size())}, torch::kFloat32);
  float* const values = floats(x);
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper)
    for (std::size_t i = 0; i < lower.size(); ++i) {
      const std::uint32_t word = upper << 16U | lower[i];
      std::memcpy(values + upper * lower.size() + i, &word, sizeof word);
    }
  // A layer norm of one column writes its bias.
  const torch::Tensor rows = at::zeros({1, x.size(0)}, torch::kFloat32);
  const torch::Tensor weight = at::zeros({x.size(0)}, torch::kFloat32);
  torch::Tensor found = at::empty(rows.sizes(), torch::kBFloat16);
  layer_norm(rows, weight, x, 1e-5, found);
  const torch::Tensor wanted = (x + 0.0F).to(torch::kBFloat16);
  EXPECT_TRUE(at::equal(found[0].isnan(), wanted.isnan()));
  EXPECT_TRUE(at::equal(found[0].nan_to_num(0.0), wanted.nan_to_num(0.0)));
}

TEST(CpuKernels, RefuseShapesThatDoNotFit) {
  torch::Tensor x = made({2, 5});
  EXPECT_THROW(bias_gelu_(x, made({4})), base::Error);
  EXPECT_THROW(bias_silu_(x, made({6})), base::Error);
  torch::Tensor residual = made({2, 4});
  EXPECT_THROW(add_residual(x, made({5}), residual), base::Error);
  torch::Tensor out = made({2, 3});
  EXPECT_THROW(bias_swiglu(x, made({6}), out), base::Error);
  EXPECT_THROW(layer_norm(x, made({5}), made({5}), 1e-5, out), base::Error);
  torch::Tensor empty = at::empty({2, 0}, torch::kFloat32);
  EXPECT_THROW(softmax_(empty, 1.0), base::Error);
  torch::Tensor turned = made({5, 4}).t();
  EXPECT_THROW(softmax_(turned, 1.0), base::Error);
}

}  // namespace
}  // namespace quasar::encoder::cpu
