#include "encoder/checkpoint.h"

#include <torch/types.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/errors.h"
#include "base/mapped_file.h"
#include "encoder/safetensors.h"
#include "encoder/stored_bytes.h"

namespace quasar::encoder {
namespace {

using SharedFile = std::shared_ptr<const base::MappedFile>;

void read_safetensors(const SharedFile& file, Checkpoint& checkpoint) {
  std::span<const std::byte> data;
  SafetensorsHeader header = read_safetensors_header(file->bytes(), data);
  for (SafetensorsEntry& entry : header.entries) {
    const std::span<const std::byte> bytes = data.subspan(entry.begin, entry.end - entry.begin);
    checkpoint.tensors.emplace(entry.name, tensor_over(bytes, entry.type, entry.shape, file, entry.name));
  }
  checkpoint.metadata = std::move(header.metadata);
  checkpoint.container = "safetensors";
}

}  // namespace

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  const auto file = std::make_shared<const base::MappedFile>(path);
  Checkpoint checkpoint;
  try {
    if (looks_like_safetensors(file->bytes())) {
      read_safetensors(file, checkpoint);
    } else {
      base::fail(base::ExitCode::kInput,
                 "neither a safetensors file, nor a torch.save zip, nor a TorchScript archive");
    }
  } catch (const base::Error& error) {
    base::fail(error.code(), "weights file " + path.string() + ": " + error.what());
  }
  checkpoint.sha256 = base::sha256_hex(file->bytes());
  return checkpoint;
}

void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata) {
  SafetensorsHeader header;
  header.metadata = metadata;
  std::vector<torch::Tensor> contents;
  std::uint64_t position = 0;
  for (const auto& [name, tensor] : tensors) {
    contents.push_back(tensor.detach().cpu().contiguous());
    const std::uint64_t size = contents.back().nbytes();
    header.entries.push_back({name, tensor.scalar_type(), tensor.sizes().vec(), position, position + size});
    position += size;
  }
  base::AtomicFile file(path);
  file.write(format_safetensors_header(header));
  for (const torch::Tensor& content : contents) {
    file.write(std::span(static_cast<const std::byte*>(content.data_ptr()), content.nbytes()));
  }
  file.commit();
}

}  // namespace quasar::encoder
