#include "encoder/weights_loader.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include "base/errors.h"

namespace quasar::encoder {
namespace {

/// More than any encoder has: only a hostile file brings more.
constexpr std::size_t kListed = 2000;

void append(std::string& text, const char* heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  text += "\n  " + std::string(heading) + " (" + std::to_string(lines.size()) + "):";
  for (std::size_t i = 0; i < std::min(lines.size(), kListed); ++i) text += "\n    " + lines[i];
  if (lines.size() > kListed) text += "\n    and " + std::to_string(lines.size() - kListed) + " more";
}

}  // namespace

std::int64_t parameter_count(const WeightShapes& shapes) {
  std::int64_t count = 0;
  for (const WeightShape& weight : shapes) {
    if (weight.role == WeightShape::Role::kBuffer || weight.role == WeightShape::Role::kOptionalBuffer)
      continue;
    count += std::accumulate(weight.shape.begin(), weight.shape.end(), std::int64_t{1}, std::multiplies<>());
  }
  return count;
}

std::string to_text(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

std::string Misfit::describe() const {
  std::string text;
  append(text, "missing", missing);
  append(text, "of another shape", misshaped);
  append(text, "unexpected", unexpected);
  return text;
}

Misfit compare(const TensorMap& tensors, const WeightShapes& expected,
               const std::function<bool(const std::string&)>& ignored) {
  Misfit misfit;
  std::set<std::string> known;
  for (const WeightShape& weight : expected) {
    known.insert(weight.name);
    const auto found = tensors.find(weight.name);
    if (found == tensors.end()) {
      if (weight.role == WeightShape::Role::kParameter || weight.role == WeightShape::Role::kBuffer)
        misfit.missing.push_back(weight.name + " " + to_text(weight.shape));
      continue;
    }
    const Shape shape = found->second.sizes().vec();
    if (shape != weight.shape) {
      misfit.misshaped.push_back(weight.name + ": the file has " + to_text(shape) + ", the preset " +
                                 to_text(weight.shape));
    } else if (!found->second.is_floating_point()) {
      misfit.misshaped.push_back(weight.name + ": the file has whole numbers where weights belong");
    }
  }
  for (const auto& [name, tensor] : tensors)
    if (!known.contains(name) && !ignored(name))
      misfit.unexpected.push_back(name + " " + to_text(tensor.sizes().vec()));
  return misfit;
}

torch::Tensor take(const TensorMap& tensors, const std::string& name) {
  const auto found = tensors.find(name);
  QUASAR_CHECK(found != tensors.end());
  return found->second.detach().to(torch::kFloat32).contiguous();
}

std::int64_t dimension_of(const TensorMap& tensors, const std::string& name, std::size_t dimension) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || static_cast<std::size_t>(found->second.dim()) <= dimension) return 0;
  return found->second.size(static_cast<std::int64_t>(dimension));
}

int count_layers(const TensorMap& tensors, const std::string& prefix, const std::string& suffix) {
  int count = 0;
  while (tensors.contains(prefix + std::to_string(count) + suffix)) ++count;
  return count;
}

}  // namespace quasar::encoder
