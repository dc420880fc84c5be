#include "corpus/path_text.h"

#include <array>
#include <cstdint>

#include "base/utf8.h"

namespace quasar::corpus {
namespace {

constexpr std::string_view kEscaped = "percent:";

/// Length of the UTF-8 sequence at the front; 0 when there is none, or a NUL, which no text of HDF5 can hold.
std::size_t sequence_length(std::string_view text) {
  return text.front() == '\0' ? 0 : base::utf8_sequence_length(text);
}

void append_escaped(char c, std::string& text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  const auto byte = static_cast<std::uint8_t>(c);
  text += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
}

std::string escape(std::string_view bytes, std::string_view also) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = sequence_length(bytes);
    if (length == 0 || also.find(bytes.front()) != std::string_view::npos) {
      append_escaped(bytes.front(), text);
      bytes.remove_prefix(1);
    } else {
      text.append(bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
  }
  return text;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string escaped_text(std::string_view bytes) {
  return escape(bytes, "");
}

std::string path_to_text(const std::filesystem::path& path) {
  const std::string& bytes = path.native();
  const bool ambiguous = bytes.compare(0, kEscaped.size(), kEscaped) == 0;
  if (!ambiguous && escaped_text(bytes) == bytes) return bytes;
  return std::string(kEscaped) + escape(bytes, "%");
}

std::filesystem::path text_to_path(std::string_view text) {
  if (text.substr(0, kEscaped.size()) != kEscaped) return std::string(text);
  text.remove_prefix(kEscaped.size());
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
    if (low < 0) {
      bytes.push_back(text[i]);
      continue;
    }
    bytes.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return bytes;
}

}  // namespace quasar::corpus
