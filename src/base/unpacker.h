// Owns the way back from bytes to values: of files, which are little-endian, and of messages between
// processes of one build.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/errors.h"

namespace quasar::base {

static_assert(std::endian::native == std::endian::little, "files are little-endian and are used in place");

/// The value that lies at `offset`, aligned or not; the caller has checked that it lies inside.
template <typename T>
requires std::is_trivially_copyable_v<T> T load(std::span<const std::byte> bytes, std::uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

/// Takes values from the front of bytes that outlive it. What is cut off is a bug or a damaged file of ours:
/// Error(kInternal) says "WHAT is cut off".
class Unpacker {
 public:
  Unpacker(std::string_view bytes, std::string_view what) : rest_(bytes), what_(what) {}

  bool done() const { return rest_.empty(); }

  template <typename T>
  T take() {
    return load<T>(std::as_bytes(std::span(take_bytes(sizeof(T)))), 0);
  }
  /// A text after its length in 32 bits.
  std::string_view take_text() { return take_bytes(take<std::uint32_t>()); }
  std::string_view take_bytes(std::size_t size) {
    if (size > rest_.size()) fail(ExitCode::kInternal, std::string(what_) + " is cut off");
    const auto part = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return part;
  }

 private:
  std::string_view rest_;
  std::string_view what_;
};

}  // namespace quasar::base
