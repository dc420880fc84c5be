#include "exports/uid.h"

#include <fmt/format.h>

#include <charconv>

#include "store/npy.h"

namespace quasar::exports {
namespace {

constexpr std::size_t kHalfDigits = 16;  // Of 64 bits.

std::optional<std::uint64_t> parse_half(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Uid> parse_uid(std::string_view text) {
  if (text.size() != 2 * kHalfDigits) return std::nullopt;
  const auto first = parse_half(text.substr(0, kHalfDigits));
  const auto last = parse_half(text.substr(kHalfDigits));
  if (!first || !last) return std::nullopt;
  return Uid{*first, *last};
}

std::string uid_file(const std::vector<Uid>& uids) {
  auto text = store::npy_header("[('f0', '<u8'), ('f1', '<u8')]", fmt::format("({},)", uids.size()));
  text.reserve(text.size() + uids.size() * sizeof(std::uint64_t) * 2);
  const auto add = [&](std::uint64_t value) {
    for (int byte = 0; byte < 8; ++byte) text += static_cast<char>(value >> (8 * byte) & 0xFFU);
  };
  for (const auto& [first, last] : uids) {
    add(first);
    add(last);
  }
  return text;
}

}  // namespace quasar::exports
