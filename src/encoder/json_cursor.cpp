#include "encoder/json_cursor.h"

#include <array>
#include <limits>

#include "base/errors.h"

namespace quasar::encoder {
namespace {

void append_utf8(std::string& result, unsigned code) {
  const auto put = [&](unsigned byte) { result.push_back(static_cast<char>(byte)); };
  if (code < 0x80U) {
    put(code);
  } else if (code < 0x800U) {
    put(0xC0U | code >> 6U);
    put(0x80U | (code & 0x3FU));
  } else if (code < 0x10000U) {
    put(0xE0U | code >> 12U);
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  } else {
    put(0xF0U | code >> 18U);
    put(0x80U | (code >> 12U & 0x3FU));
    put(0x80U | (code >> 6U & 0x3FU));
    put(0x80U | (code & 0x3FU));
  }
}

/// Length of the valid UTF-8 sequence (RFC 3629) at the start of `text`; 0 when there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned>(static_cast<unsigned char>(text[i])); };
  if (text.empty()) return 0;
  const unsigned lead = byte(0);
  if (lead < 0x80U) return 1;
  const std::size_t length = lead >= 0xF0U ? 4 : lead >= 0xE0U ? 3 : 2;
  if (lead < 0xC2U || lead > 0xF4U || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  // Overlong forms, surrogates and what lies beyond U+10FFFF.
  const unsigned second = byte(1);
  if ((lead == 0xE0U && second < 0xA0U) || (lead == 0xEDU && second > 0x9FU) ||
      (lead == 0xF0U && second < 0x90U) || (lead == 0xF4U && second > 0x8FU)) {
    return 0;
  }
  return length;
}

}  // namespace

void JsonCursor::fail(const std::string& what) const {
  base::fail(base::ExitCode::kInput, "header byte " + std::to_string(position_) + ": " + what);
}

void JsonCursor::skip_space() {
  constexpr std::string_view kSpace = " \t\r\n";
  while (position_ < text_.size() && kSpace.find(text_[position_]) != std::string_view::npos) ++position_;
}

bool JsonCursor::take(char token) {
  skip_space();
  if (position_ >= text_.size() || text_[position_] != token) return false;
  ++position_;
  return true;
}

void JsonCursor::expect(char token) {
  if (take(token)) return;
  const std::string found = position_ < text_.size() ? "\"" + printable(text_.substr(position_, 1)) + "\""
                                                     : "the end of the header";
  fail(std::string("expected \"") + token + "\", found " + found);
}

void JsonCursor::expect_end() {
  skip_space();
  if (position_ != text_.size()) fail("text after the closing brace");
}

unsigned JsonCursor::hex4() {
  unsigned value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = position_ < text_.size() ? text_[position_] : '\0';
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) fail("\\u must be followed by four hexadecimal digits");
    value = value * 16 + static_cast<unsigned>(digit);
    ++position_;
  }
  return value;
}

void JsonCursor::escape(std::string& result) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  const char name = position_ < text_.size() ? text_[position_] : '\0';
  if (name == 'u') {
    ++position_;
    unsigned code = hex4();
    if (code >= 0xDC00U && code < 0xE000U) fail("a low surrogate without its high one");
    if (code >= 0xD800U && code < 0xDC00U) {
      if (text_.substr(position_, 2) != "\\u") fail("a high surrogate without its low one");
      position_ += 2;
      const unsigned low = hex4();
      if (low < 0xDC00U || low >= 0xE000U) fail("a high surrogate without its low one");
      code = 0x10000U + ((code - 0xD800U) << 10U) + (low - 0xDC00U);
    }
    append_utf8(result, code);
    return;
  }
  const std::size_t index = name == '\0' ? std::string_view::npos : kNames.find(name);
  if (index == std::string_view::npos) fail("unknown escape in a string");
  result.push_back(kValues[index]);
  ++position_;
}

void JsonCursor::utf8_sequence(std::string& result) {
  const std::size_t length = utf8_length(text_.substr(position_));
  if (length == 0) fail("a string is not valid UTF-8");
  result.append(text_.substr(position_, length));
  position_ += length;
}

std::string JsonCursor::string() {
  expect('"');
  std::string result;
  while (true) {
    if (position_ >= text_.size()) fail("a string is not closed");
    const char c = text_[position_];
    if (c == '"') {
      ++position_;
      return result;
    }
    if (static_cast<unsigned char>(c) < 0x20U) fail("a control character inside a string");
    if (c == '\\') {
      ++position_;
      escape(result);
    } else {
      utf8_sequence(result);
    }
  }
}

std::int64_t JsonCursor::count() {
  skip_space();
  const auto digit = [&] {
    return position_ < text_.size() && text_[position_] >= '0' && text_[position_] <= '9';
  };
  if (position_ < text_.size() && text_[position_] == '-') fail("a negative number where a count belongs");
  if (!digit()) fail("expected a whole number");
  const std::size_t start = position_;
  std::int64_t value = 0;
  for (; digit(); ++position_) {
    const std::int64_t next = text_[position_] - '0';
    if (value > (std::numeric_limits<std::int64_t>::max() - next) / 10) fail("a number beyond 2^63 - 1");
    value = value * 10 + next;
  }
  if (text_[start] == '0' && position_ - start > 1) fail("a number with a leading zero");
  if (position_ < text_.size() && std::string_view(".eE").find(text_[position_]) != std::string_view::npos) {
    fail("expected a whole number, found a fraction or an exponent");
  }
  return value;
}

std::string json_quote(std::string_view text) {
  constexpr std::array<char, 17> kDigits = {"0123456789abcdef"};
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result.push_back('\\');
      result.push_back(c);
    } else if (byte < 0x20U) {
      result += "\\u00";
      result.push_back(kDigits[byte >> 4U]);
      result.push_back(kDigits[byte & 0xFU]);
    } else {
      result.push_back(c);
    }
  }
  return result + "\"";
}

std::string printable(std::string_view text) {
  constexpr std::size_t kMost = 120;
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    if (result.size() >= kMost) return result + "...";
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0 || static_cast<unsigned char>(text[i]) < 0x20U || text[i] == '\x7F') {
      result.push_back('?');
      ++i;
    } else {
      result.append(text.substr(i, length));
      i += length;
    }
  }
  return result;
}

}  // namespace quasar::encoder
