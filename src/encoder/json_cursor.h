// Internal to the module: a strict reader of the JSON tokens that a safetensors header is made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace quasar::encoder {

/// Walks over JSON text token by token. Every failure is an Error(kInput) naming the byte. It never recurses.
class JsonCursor {
 public:
  explicit JsonCursor(std::string_view text) : text_(text) {}

  /// Skips white space and takes `token`, or fails.
  void expect(char token);
  /// Skips white space and takes `token` if it is next.
  bool take(char token);
  /// A string, with escapes resolved; must be valid UTF-8 without raw control characters.
  std::string string();
  /// A whole number from 0 to 2^63 - 1, written without fraction, exponent or leading zeros.
  std::int64_t count();
  /// Fails unless only white space is left.
  void expect_end();
  [[noreturn]] void fail(const std::string& what) const;

 private:
  void skip_space();
  unsigned hex4();
  void escape(std::string& result);
  void utf8_sequence(std::string& result);

  std::string_view text_;
  std::size_t position_ = 0;
};

/// `text` as a JSON string, quotes included. The text must be valid UTF-8.
std::string json_quote(std::string_view text);

/// `text` fit for an error message: control characters and broken UTF-8 replaced, and shortened.
std::string printable(std::string_view text);

}  // namespace quasar::encoder
