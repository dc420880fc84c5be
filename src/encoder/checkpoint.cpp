#include "encoder/checkpoint.h"

#include <ATen/Functions.h>
#include <torch/types.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "base/errors.h"
#include "base/utf8.h"
#include "checkpoint/weights_file.h"

namespace quasar::encoder {
namespace {

using checkpoint::Dtype;
using checkpoint::StoredTensor;

constexpr std::array<std::pair<Dtype, torch::ScalarType>, 10> kTypes = {{{Dtype::kFloat64, torch::kFloat64},
                                                                         {Dtype::kFloat32, torch::kFloat32},
                                                                         {Dtype::kFloat16, torch::kFloat16},
                                                                         {Dtype::kBfloat16, torch::kBFloat16},
                                                                         {Dtype::kInt64, torch::kInt64},
                                                                         {Dtype::kInt32, torch::kInt32},
                                                                         {Dtype::kInt16, torch::kInt16},
                                                                         {Dtype::kInt8, torch::kInt8},
                                                                         {Dtype::kUint8, torch::kUInt8},
                                                                         {Dtype::kBool, torch::kBool}}};

/// A tensor over the stored bytes, which it keeps alive.
torch::Tensor to_torch(const StoredTensor& stored) {
  auto type = torch::kFloat32;
  for (const auto& [ours, theirs] : kTypes)
    if (ours == stored.type) type = theirs;
  const auto options = torch::TensorOptions().dtype(type);
  if (stored.bytes.empty()) return at::empty(stored.shape, options);
  void* data = const_cast<std::byte*>(stored.bytes.data());  // NOLINT: torch has no constant tensors.
  return at::from_blob(
      data, stored.shape, [owner = stored.owner](void*) {}, options);
}

/// The same the other way round.
StoredTensor from_torch(const torch::Tensor& tensor) {
  const auto content = std::make_shared<const torch::Tensor>(tensor.detach().cpu().contiguous());
  for (const auto& [ours, theirs] : kTypes) {
    if (theirs == tensor.scalar_type()) {
      const auto* const data = static_cast<const std::byte*>(content->data_ptr());
      return {ours, content->sizes().vec(), {data, content->nbytes()}, content};
    }
  }
  base::fail(base::ExitCode::kInternal,
             std::string("safetensors has no dtype for ") + c10::toString(tensor.scalar_type()));
}

Checkpoint to_torch(checkpoint::WeightsFile file) {
  Checkpoint result;
  for (const auto& [name, tensor] : file.tensors) result.tensors.emplace(name, to_torch(tensor));
  result.metadata = std::move(file.metadata);
  result.sha256 = std::move(file.sha256);
  result.container = std::move(file.container);
  return result;
}

std::string describe(const checkpoint::NamedWeights& named) {
  if (named.naming.empty() || (named.prefix.empty() && named.left_out.empty() && named.own_names)) return {};
  std::string text = "names as " + named.naming + " gives them";
  if (!named.prefix.empty()) text += ", behind the prefix \"" + named.prefix + "\"";
  std::string parts;
  std::size_t count = 0;
  for (const auto& [part, tensors] : named.left_out) {
    count += tensors;
    parts += (parts.empty() ? "" : ", ") + base::printable(part) + " (" + std::to_string(tensors) + ")";
  }
  if (count > 0) text += "; left out, as it is no part of the image encoder: " + parts;
  return text;
}

}  // namespace

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  return to_torch(checkpoint::read_weights_file(path));
}

NamedCheckpoint read_checkpoint(const std::filesystem::path& path, checkpoint::NameFamily family) {
  checkpoint::WeightsFile file = checkpoint::read_weights_file(path);
  checkpoint::NamedWeights named;
  try {
    named = checkpoint::rename_weights(file.tensors, family);
  } catch (const base::Error& error) {
    base::fail(error.code(), "weights file " + path.string() + ": " + error.what());
  }
  file.tensors = std::move(named.tensors);
  return {to_torch(std::move(file)), describe(named), named.advice.empty() ? "" : "\n  " + named.advice};
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata) {
  checkpoint::StoredTensors stored;
  for (const auto& [name, tensor] : tensors) stored.emplace(name, from_torch(tensor));
  checkpoint::write_safetensors(path, stored, metadata);
}

}  // namespace quasar::encoder
