#include "encoder/mini.h"

#include <ATen/Functions.h>
#include <torch/types.h>

#include <array>
#include <cmath>
#include <sstream>
#include <vector>

#include "base/errors.h"

namespace quasar::encoder {
namespace {

constexpr std::array<std::int64_t, 5> kChannels = {3, 16, 32, 64, 128};
constexpr std::array<std::int64_t, 4> kStrides = {1, 2, 2, 2};
constexpr std::int64_t kHidden = 128;
constexpr std::int64_t kDimension = 64;
constexpr std::int64_t kPooled = 2 * (16 + 32 + 64 + 128);
constexpr int kMinSide = 64;

std::map<std::string, std::vector<std::int64_t>> shapes() {
  std::map<std::string, std::vector<std::int64_t>> result;
  for (std::size_t i = 0; i < kStrides.size(); ++i) {
    const std::string name = "conv" + std::to_string(i + 1);
    result[name + ".weight"] = {kChannels[i + 1], kChannels[i], 3, 3};
    result[name + ".bias"] = {kChannels[i + 1]};
  }
  result["hidden.weight"] = {kHidden, kPooled};
  result["hidden.bias"] = {kHidden};
  result["head.weight"] = {kDimension, kHidden};
  return result;
}

class Mini : public Network {
 public:
  explicit Mini(TensorMap weights) : weights_(std::move(weights)) {
    std::ostringstream wrong;
    auto expected = shapes();
    for (const auto& [name, shape] : expected) {
      const auto found = weights_.find(name);
      if (found == weights_.end()) {
        wrong << "; " << name << " is missing";
      } else if (found->second.sizes() != at::IntArrayRef(shape)) {
        wrong << "; " << name << " is " << found->second.sizes() << " instead of " << at::IntArrayRef(shape);
      }
    }
    for (const auto& [name, tensor] : weights_) {
      if (!expected.contains(name)) wrong << "; " << name << " is not part of it";
    }
    if (!wrong.str().empty()) {
      base::fail(base::ExitCode::kInput, "these are not the weights of the encoder \"mini\"" + wrong.str());
    }
    for (auto& [name, tensor] : weights_) tensor = tensor.to(torch::kFloat32).contiguous();
  }

  torch::Tensor forward(const torch::Tensor& pixels) override {
    return mini_forward(weights_, pixels, type_);
  }
  int dimension() const override { return static_cast<int>(kDimension); }
  std::int64_t parameter_count() const override {
    std::int64_t count = 0;
    for (const auto& [name, tensor] : weights_) count += tensor.numel();
    return count;
  }
  void to(torch::Device device, torch::ScalarType type) override {
    // Pooling and what follows stay in float32: they cost nothing and would lose most.
    for (auto& [name, tensor] : weights_) tensor = tensor.to(device);
    type_ = type;
  }

 private:
  TensorMap weights_;
  torch::ScalarType type_ = torch::kFloat32;
};

}  // namespace

base::InputSpec mini_input_spec() {
  base::InputSpec spec;
  spec.resize = base::ResizeRule::kShorterSideAtMost;
  spec.size = 512;
  spec.center_crop = false;
  spec.min_side = kMinSide;
  spec.mean = {0.5, 0.5, 0.5};
  spec.std = {0.25, 0.25, 0.25};
  return spec;
}

TensorMap random_mini_weights(std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  TensorMap weights;
  for (const auto& [name, shape] : shapes()) {
    if (shape.size() == 1) {
      weights[name] = torch::zeros(shape, torch::kFloat32);
      continue;
    }
    std::int64_t fan_in = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
    weights[name] = at::normal(0.0, std::sqrt(2.0 / static_cast<double>(fan_in)), shape, generator,
                               torch::kFloat32, {}, {}, {});
  }
  return weights;
}

torch::Tensor mini_forward(const TensorMap& weights, const torch::Tensor& pixels,
                           torch::ScalarType convolutions) {
  torch::Tensor x = pixels;
  std::vector<torch::Tensor> pooled;
  for (std::size_t i = 0; i < kStrides.size(); ++i) {
    const std::string name = "conv" + std::to_string(i + 1);
    const auto weight = weights.at(name + ".weight").to(convolutions);
    const auto bias = weights.at(name + ".bias").to(convolutions);
    x = at::relu(at::conv2d(x.to(convolutions), weight, bias, kStrides[i], 1));
    const torch::Tensor values = x.to(torch::kFloat32);
    const torch::Tensor mean = values.mean({2, 3});
    const torch::Tensor square = values.square().mean({2, 3});
    // log: both span orders of magnitude between flat and noisy pictures, and the level itself tells.
    pooled.push_back(at::log(mean + 1e-2));
    pooled.push_back(0.5 * at::log(at::clamp_min(square - mean.square(), 0) + 1e-4));
  }
  const torch::Tensor features = at::cat(pooled, 1);
  const torch::Tensor hidden =
      at::leaky_relu(at::linear(features, weights.at("hidden.weight"), weights.at("hidden.bias")), 0.1);
  return at::linear(hidden, weights.at("head.weight"));
}

std::unique_ptr<Network> make_mini(TensorMap weights) {
  return std::make_unique<Mini>(std::move(weights));
}

}  // namespace quasar::encoder
