// A torch.save file from anywhere, to its tensors: refused with an Error, or every tensor has the bytes that
// its shape and type ask for, and all can be read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "base/errors.h"
#include "checkpoint/torch_zip.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const std::shared_ptr<const void> owner(data, [](const void*) {});
  quasar::checkpoint::WeightsFile weights;
  try {
    read_torch_zip(file, owner, weights);
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kInput) std::abort();
    return 0;
  }
  for (const auto& [name, tensor] : weights.tensors) {
    std::uint64_t bytes = element_size(tensor.type);
    for (const std::int64_t extent : tensor.shape) bytes *= static_cast<std::uint64_t>(extent);
    if (bytes != tensor.bytes.size()) std::abort();
    // Reads all of it.
    const std::vector<std::byte> copy(tensor.bytes.begin(), tensor.bytes.end());
    if (!std::ranges::equal(copy, tensor.bytes)) std::abort();
  }
  return 0;
}
