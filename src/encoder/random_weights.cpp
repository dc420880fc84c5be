#include "encoder/random_weights.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Functions.h>

#include <cmath>

#include "encoder/network_factory.h"

namespace quasar::encoder {
namespace {

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

}  // namespace

TensorMap random_weights(const std::string& preset, std::uint64_t seed) {
  at::Generator generator = at::detail::createCPUGenerator(seed);
  TensorMap tensors;
  for (const WeightShape& weight : weight_shapes(find_architecture(preset).sizes)) {
    torch::Tensor values = at::empty(weight.shape, torch::kFloat32);
    if (weight.shape.size() == 1 &&
        (ends_with(weight.name, "weight") || ends_with(weight.name, "running_var"))) {
      values.uniform_(0.8, 1.2, generator);
    } else {
      // Spread by the number of inputs, so that a layer keeps the size of what goes through it.
      const double inputs = weight.shape.size() > 1
                                ? static_cast<double>(values.numel()) / static_cast<double>(weight.shape[0])
                                : 2500.0;
      values.normal_(0.0, 1.0 / std::sqrt(inputs), generator);
    }
    tensors.emplace(weight.name, std::move(values));
  }
  return tensors;
}

}  // namespace quasar::encoder
