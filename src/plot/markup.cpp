#include "plot/markup.h"

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"

namespace quasar::plot {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void append_ascii(char c, std::string& text) {
  switch (c) {
    case '&':
      text += "&amp;";
      break;
    case '<':
      text += "&lt;";
      break;
    case '>':
      text += "&gt;";
      break;
    case '"':
      text += "&quot;";
      break;
    case '\'':
      text += "&#39;";
      break;
    case '\n':
    case '\r':
    case '\t':
      text += ' ';
      break;
    default:
      if (c < 0x20 || c == 0x7F) {
        text += kReplacement;
      } else {
        text += c;
      }
  }
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = base::utf8_sequence_length(text);
    const auto sequence = text.substr(0, std::max<std::size_t>(1, length));
    text.remove_prefix(sequence.size());
    if (length == 1) {
      append_ascii(sequence.front(), result);
    } else if (length == 0 || sequence == "\xEF\xBF\xBE" || sequence == "\xEF\xBF\xBF" ||
               (length == 2 && sequence < "\xC2\xA0")) {
      result += kReplacement;
    } else {
      result += sequence;
    }
  }
  return result;
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  result.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t there = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t word = 0;
    for (std::size_t i = 0; i < 3; ++i)
      word = word << 8U | (i < there ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      result += i <= there ? kDigits[word >> (18U - 6U * static_cast<unsigned>(i)) & 63U] : '=';
  }
  return result;
}

std::string first_words(std::string_view& text, std::size_t most) {
  std::size_t end = text.size();
  if (end > most) {
    end = text.rfind(' ', most);
    if (end == std::string_view::npos || end == 0) end = std::min(text.find(' ', most), text.size());
  }
  std::string line(text.substr(0, end));
  text.remove_prefix(std::min(text.size(), end + 1));
  return line;
}

}  // namespace quasar::plot
