#include "encoder/stored_bytes.h"

#include <ATen/Functions.h>
#include <c10/core/ScalarType.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/errors.h"
#include "encoder/json_cursor.h"

namespace quasar::encoder {

bool is_aligned(std::span<const std::byte> bytes, torch::ScalarType type) {
  return reinterpret_cast<std::uintptr_t>(bytes.data()) % c10::elementSize(type) == 0;
}

torch::Tensor tensor_over(std::span<const std::byte> bytes, torch::ScalarType type, torch::IntArrayRef shape,
                          const std::shared_ptr<const void>& owner, const std::string& name) {
  // Any other value in a bool is undefined behaviour for whoever reads it.
  if (type == torch::kBool &&
      std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return std::to_integer<int>(b) > 1; })) {
    base::fail(base::ExitCode::kInput,
               "tensor \"" + printable(name) + "\" is of bools but holds other bytes than 0 and 1");
  }
  const auto options = torch::TensorOptions().dtype(type);
  if (bytes.empty()) return at::empty(shape, options);
  if (!is_aligned(bytes, type)) {
    torch::Tensor copy = at::empty(shape, options);
    std::memcpy(copy.data_ptr(), bytes.data(), bytes.size());
    return copy;
  }
  void* data = const_cast<std::byte*>(bytes.data());  // NOLINT: torch has no tensor of constant elements.
  return at::from_blob(
      data, shape, [owner](void*) {}, options);
}

}  // namespace quasar::encoder
