// Owns the way from values to bytes that base::Unpacker takes them from: of messages between processes of one
// build, and of their files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace quasar::base {

/// Appends the bytes of a value.
template <typename T>
requires std::is_trivially_copyable_v<T>
void pack(const T& value, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Appends a text after its length in 32 bits.
inline void pack_text(std::string_view text, std::string& bytes) {
  pack(static_cast<std::uint32_t>(text.size()), bytes);
  bytes += text;
}

}  // namespace quasar::base
