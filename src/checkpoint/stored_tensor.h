// Owns tensors as they lie in weights files: a type, a shape and bytes, without a library that computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::checkpoint {

enum class Dtype { kFloat64, kFloat32, kFloat16, kBfloat16, kInt64, kInt32, kInt16, kInt8, kUint8, kBool };

/// Bytes of one element.
std::size_t element_size(Dtype type);

/// A contiguous tensor, row-major, aligned for its type, whose bools are 0 or 1.
struct StoredTensor {
  Dtype type = Dtype::kFloat32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;   ///< Read-only: often a mapped file.
  std::shared_ptr<const void> owner;  ///< Keeps the bytes alive.
};

using StoredTensors = std::map<std::string, StoredTensor>;

/// Whether bytes at this place can be used as they lie for elements of this type.
bool is_aligned(std::span<const std::byte> bytes, Dtype type);

/// A tensor over exactly these bytes of `owner`. It shares them where they are aligned for the type, and is a
/// copy otherwise: weights of many gigabytes are then read once per machine, not once per process. Throws
/// Error(kInput) when a bool is neither 0 nor 1.
StoredTensor tensor_over(std::span<const std::byte> bytes, Dtype type, std::vector<std::int64_t> shape,
                         const std::shared_ptr<const void>& owner, const std::string& name);

/// A contiguous copy of the elements that `strides`, counted in elements and not negative, pick from bytes;
/// all of them lie inside, and no size is 0. Throws as above.
StoredTensor copy_strided(std::span<const std::byte> bytes, Dtype type, std::vector<std::int64_t> shape,
                          const std::vector<std::int64_t>& strides, const std::string& name);

}  // namespace quasar::checkpoint
