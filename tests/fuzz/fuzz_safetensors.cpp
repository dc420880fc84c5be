// A safetensors file from anywhere: refused with an Error, or a header whose tensors tile the data exactly.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "base/errors.h"
#include "checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  std::span<const std::byte> content;
  try {
    const auto header = quasar::checkpoint::read_safetensors_header(file, content);
    std::uint64_t position = 0;
    for (const auto& entry : header.entries) {
      if (entry.begin != position || entry.end < entry.begin || entry.end > content.size()) std::abort();
      position = entry.end;
    }
    if (position != content.size()) std::abort();
  } catch (const quasar::base::Error& error) {
    if (error.code() != quasar::base::ExitCode::kInput) std::abort();
  }
  return 0;
}
