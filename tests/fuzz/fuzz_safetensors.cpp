// A safetensors file, or an index of shards, from anywhere: refused with an Error, or a header whose tensors
// tile the data exactly and whose names come to those of every family of encoders with whole tensors; or a
// map to names that stay in the index's folder.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/errors.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/weight_names.h"
#include "checkpoint/weights_index.h"

namespace {

using namespace quasar::checkpoint;  // NOLINT: short.

template <typename Action>
void refused_or_done(const Action& action) {
  try {
    action();
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kInput) std::abort();
  }
}

void check_index(std::string_view json) {
  for (const auto& [tensor, file] : parse_weights_index(json))
    if (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos) std::abort();
}

void check_names(const StoredTensors& tensors, NameFamily family) {
  for (const auto& [name, tensor] : rename_weights(unwrap_names(tensors), family).tensors) {
    std::uint64_t bytes = element_size(tensor.type);
    for (const std::int64_t extent : tensor.shape) bytes *= static_cast<std::uint64_t>(extent);
    if (bytes != tensor.bytes.size()) std::abort();
  }
}

void check_safetensors(std::span<const std::byte> file) {
  std::span<const std::byte> content;
  const auto header = read_safetensors_header(file, content);
  const std::shared_ptr<const void> owner(file.data(), [](const void*) {});
  StoredTensors tensors;
  std::uint64_t position = 0;
  for (const auto& entry : header.entries) {
    if (entry.begin != position || entry.end < entry.begin || entry.end > content.size()) std::abort();
    position = entry.end;
    tensors.emplace(entry.name, tensor_over(content.subspan(entry.begin, entry.end - entry.begin), entry.type,
                                            entry.shape, owner, entry.name));
  }
  if (position != content.size()) std::abort();
  for (const NameFamily family :
       {NameFamily::kClip, NameFamily::kDinoV2, NameFamily::kDinoV3, NameFamily::kSigLip})
    refused_or_done([&] { check_names(tensors, family); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  refused_or_done([&] {
    if (looks_like_weights_index(file)) {
      check_index({reinterpret_cast<const char*>(data), size});
    } else {
      check_safetensors(file);
    }
  });
  return 0;
}
