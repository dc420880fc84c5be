// Internal to the module: tensors over bytes of a mapped weights file.
#pragma once

#include <torch/types.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace quasar::encoder {

/// Whether bytes at this place can be used as they lie for elements of this type.
bool is_aligned(std::span<const std::byte> bytes, torch::ScalarType type);

/// A contiguous tensor over exactly these bytes of `file`. It shares the mapping, which it keeps alive, where
/// the bytes are aligned for the type, and is a copy otherwise: weights of many gigabytes are then read once
/// per machine, not once per process. Throws Error(kInput) when a bool is neither 0 nor 1.
torch::Tensor tensor_over(std::span<const std::byte> bytes, torch::ScalarType type, torch::IntArrayRef shape,
                          const std::shared_ptr<const void>& owner, const std::string& name);

}  // namespace quasar::encoder
