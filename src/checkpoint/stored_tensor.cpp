#include "checkpoint/stored_tensor.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/errors.h"
#include "base/utf8.h"

namespace quasar::checkpoint {
namespace {

/// As LibTorch allocates.
constexpr std::align_val_t kAlignment{64};

std::shared_ptr<std::byte> allocate(std::size_t size) {
  return {static_cast<std::byte*>(::operator new(size, kAlignment)),
          [](std::byte* bytes) { ::operator delete(bytes, kAlignment); }};
}

/// Any other value in a bool is undefined behaviour for whoever reads it.
void check_bools(std::span<const std::byte> bytes, Dtype type, const std::string& name) {
  if (type == Dtype::kBool &&
      std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return std::to_integer<int>(b) > 1; })) {
    base::fail(base::ExitCode::kInput,
               "tensor \"" + base::printable(name) + "\" is of bools but holds other bytes than 0 and 1");
  }
}

}  // namespace

std::size_t element_size(Dtype type) {
  switch (type) {
    case Dtype::kFloat64:
    case Dtype::kInt64:
      return 8;
    case Dtype::kFloat32:
    case Dtype::kInt32:
      return 4;
    case Dtype::kFloat16:
    case Dtype::kBfloat16:
    case Dtype::kInt16:
      return 2;
    case Dtype::kInt8:
    case Dtype::kUint8:
    case Dtype::kBool:
      return 1;
  }
  base::fail(base::ExitCode::kInternal, "unknown dtype");
}

bool is_aligned(std::span<const std::byte> bytes, Dtype type) {
  return reinterpret_cast<std::uintptr_t>(bytes.data()) % element_size(type) == 0;
}

StoredTensor tensor_over(std::span<const std::byte> bytes, Dtype type, std::vector<std::int64_t> shape,
                         const std::shared_ptr<const void>& owner, const std::string& name) {
  check_bools(bytes, type, name);
  if (bytes.empty()) return {type, std::move(shape), {}, nullptr};
  if (is_aligned(bytes, type)) return {type, std::move(shape), bytes, owner};
  const auto copy = allocate(bytes.size());
  std::memcpy(copy.get(), bytes.data(), bytes.size());
  return {type, std::move(shape), {copy.get(), bytes.size()}, copy};
}

StoredTensor copy_strided(std::span<const std::byte> bytes, Dtype type, std::vector<std::int64_t> shape,
                          const std::vector<std::int64_t>& strides, const std::string& name) {
  check_bools(bytes, type, name);
  const std::size_t element = element_size(type);
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  const auto copy = allocate(count * element);
  std::vector<std::int64_t> index(shape.size(), 0);
  std::int64_t place = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(copy.get() + i * element, bytes.data() + static_cast<std::size_t>(place) * element, element);
    // The next index, the last dimension first.
    for (std::size_t d = shape.size(); d-- > 0;) {
      place += strides[d];
      if (++index[d] < shape[d]) break;
      place -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return {type, std::move(shape), {copy.get(), count * element}, copy};
}

}  // namespace quasar::checkpoint
