#include "encoder/mini.h"

#include <ATen/Functions.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <sstream>
#include <vector>

#include "base/errors.h"
#include "encoder/architectures.h"
#include "encoder/mini_pooling.h"

namespace quasar::encoder {
namespace {

constexpr std::array<std::int64_t, 7> kChannels = {3, 32, 48, 80, 80, 128, 128};
constexpr std::array<std::int64_t, 6> kStrides = {2, 2, 2, 1, 2, 1};
constexpr std::array<std::int64_t, 6> kKernels = {5, 3, 3, 3, 3, 3};
constexpr std::int64_t kHidden = 160;
constexpr std::int64_t kDimension = 64;
constexpr std::int64_t kRegionSide = 32;  ///< Pixels of the input.
/// Of grey, red, green and blue, how far and how often each lies below the first or above the others.
constexpr std::array<double, 4> kDarkTones = {0.02, 0.06, 0.12, 0.25};
constexpr std::array<double, 4> kBrightTones = {0.75, 0.88, 0.94, 0.98};
constexpr std::int64_t kTones = std::int64_t{4} * 8;
constexpr std::int64_t kPooled =
    4 * (std::accumulate(kChannels.begin(), kChannels.end(), std::int64_t{0}) - kChannels[0]) + 2 * kTones;

std::map<std::string, std::vector<std::int64_t>> shapes() {
  std::map<std::string, std::vector<std::int64_t>> result;
  for (std::size_t i = 0; i < kStrides.size(); ++i) {
    const std::string name = "conv" + std::to_string(i + 1);
    result[name + ".weight"] = {kChannels[i + 1], kChannels[i], kKernels[i], kKernels[i]};
    result[name + ".bias"] = {kChannels[i + 1]};
  }
  result["tone.weight"] = {kTones, 3};
  result["tone.bias"] = {kTones};
  result["norm.shift"] = {kPooled};
  result["norm.scale"] = {kPooled};
  result["hidden.weight"] = {kHidden, kPooled};
  result["hidden.bias"] = {kHidden};
  result["head.weight"] = {kDimension, kHidden};
  return result;
}

/// Ramps that begin at the tones, in the scale of normalised pixels.
void set_tones(const torch::Tensor& weight, const torch::Tensor& bias) {
  constexpr std::array<std::array<double, 3>, 4> kColours = {
      {{0.299, 0.587, 0.114}, {1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
  const auto spec = mini_input_spec();
  std::int64_t row = 0;
  const auto put = [&](const std::array<double, 3>& colour, double sign, double tone) {
    for (std::int64_t c = 0; c < 3; ++c) {
      weight[row][c].fill_(sign * colour[static_cast<std::size_t>(c)]);
    }
    bias[row++].fill_(-sign * (tone - spec.mean[0]) / spec.std[0]);
  };
  for (const auto& colour : kColours) {
    for (const double tone : kDarkTones) put(colour, -1, tone);
    for (const double tone : kBrightTones) put(colour, 1, tone);
  }
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
    for (auto& [name, tensor] : weights_) {
      tensor = tensor.to(torch::kFloat32).contiguous();
      if (!at::isfinite(tensor).all().item<bool>())
        base::fail(base::ExitCode::kInput, "the tensor \"" + name + "\" holds NaN or an infinity");
    }
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
  double forward_bytes(double count, double height, double width) const override {
    return mini_forward_bytes(count, height, width, type_);
  }

 private:
  TensorMap weights_;
  torch::ScalarType type_ = torch::kFloat32;
};

}  // namespace

TensorMap random_mini_weights(std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  TensorMap weights;
  for (const auto& [name, shape] : shapes()) {
    if (shape.size() == 1) {
      weights[name] =
          name == "norm.scale" ? torch::ones(shape, torch::kFloat32) : torch::zeros(shape, torch::kFloat32);
      continue;
    }
    std::int64_t fan_in = 1;
    for (std::size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
    weights[name] = at::normal(0.0, std::sqrt(2.0 / static_cast<double>(fan_in)), shape, generator,
                               torch::kFloat32, {}, {}, {});
  }
  set_tones(weights.at("tone.weight"), weights.at("tone.bias"));
  return weights;
}

torch::Tensor mini_features(const TensorMap& weights, const torch::Tensor& pixels,
                            torch::ScalarType convolutions) {
  std::vector<torch::Tensor> pooled = {
      pool_tones(pixels, weights.at("tone.weight"), weights.at("tone.bias"))};
  torch::Tensor x = pixels;
  std::int64_t stride = 1;
  for (std::size_t i = 0; i < kStrides.size(); ++i) {
    const std::string name = "conv" + std::to_string(i + 1);
    const auto weight = weights.at(name + ".weight").to(convolutions);
    const auto bias = weights.at(name + ".bias").to(convolutions);
    x = at::relu(at::conv2d(x.to(convolutions), weight, bias, kStrides[i], kKernels[i] / 2));
    stride *= kStrides[i];
    pooled.push_back(pool_channels(x, kRegionSide / stride));
  }
  return at::cat(pooled, 1);
}

torch::Tensor mini_head(const TensorMap& weights, const torch::Tensor& features) {
  const torch::Tensor even = (features - weights.at("norm.shift")) * weights.at("norm.scale");
  const torch::Tensor hidden =
      at::leaky_relu(at::linear(even, weights.at("hidden.weight"), weights.at("hidden.bias")), 0.1);
  return at::linear(hidden, weights.at("head.weight"));
}

torch::Tensor mini_forward(const TensorMap& weights, const torch::Tensor& pixels,
                           torch::ScalarType convolutions) {
  return mini_head(weights, mini_features(weights, pixels, convolutions));
}

double mini_forward_bytes(double count, double height, double width, torch::ScalarType convolutions) {
  const auto element = static_cast<double>(c10::elementSize(convolutions));
  // Every second pixel of every second row.
  double most = sizeof(float) * count * 3.0 * std::ceil(height / 2.0) * std::ceil(width / 2.0);
  double x = 0.0;  // The pixels are not ours.
  for (std::size_t i = 0; i < kStrides.size(); ++i) {
    height = std::ceil(height / static_cast<double>(kStrides[i]));
    width = std::ceil(width / static_cast<double>(kStrides[i]));
    const double out = element * count * static_cast<double>(kChannels[i + 1]) * height * width;
    most = std::max(most, x + 2.0 * out);
    x = out;
  }
  return most;
}

std::unique_ptr<Network> make_mini(TensorMap weights) {
  return std::make_unique<Mini>(std::move(weights));
}

}  // namespace quasar::encoder
