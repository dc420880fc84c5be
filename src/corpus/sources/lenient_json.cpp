#include "corpus/sources/lenient_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>

#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

constexpr const char* kSurrogates = "characters of JSON texts that are half a character (lone surrogates)";
constexpr const char* kBytes = "JSON texts that are not UTF-8 (their bytes stand as %XX)";

constexpr std::string_view kDigits = "+-.0123456789eE";

/// The four digits of "\uXXXX" at a place; empty when there is none.
std::optional<unsigned> unicode_escape(std::string_view text, std::size_t at) {
  if (text.size() < at + 6 || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  unsigned code = 0;
  const char* const begin = text.data() + at + 2;
  const auto [end, error] = std::from_chars(begin, begin + 4, code, 16);
  if (error != std::errc() || end != begin + 4) return std::nullopt;
  return code;
}

/// Writes a text again as JSON, character by character.
class Repair {
 public:
  explicit Repair(std::string_view text) : text_(text) {}

  std::string run() {
    while (at_ < text_.size()) {
      if (text_[at_] == '"') {
        copy(1);
        string();
      } else {
        value();
      }
    }
    return std::move(out_);
  }

  const Counts& losses() const { return losses_; }

 private:
  void copy(std::size_t count) {
    out_ += text_.substr(at_, count);
    at_ = std::min(at_ + count, text_.size());
  }
  void drop(std::size_t count) {
    out_ += "null";
    at_ += count;
    ++losses_[kNotFinite];
  }

  /// What stands outside of strings.
  void value() {
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (text_.substr(at_, word.size()) == word) return drop(word.size());
    }
    const char c = text_[at_];
    if (c != '-' && (c < '0' || c > '9')) return copy(1);
    const std::size_t end = std::min(text_.find_first_not_of(kDigits, at_), text_.size());
    // As the parser reads it: of too small numbers 0, of too large ones infinity.
    const std::string number(text_.substr(at_, end - at_));
    if (!std::isfinite(std::strtod(number.c_str(), nullptr))) return drop(number.size());
    copy(number.size());
  }

  /// The rest of a string with its closing quote.
  void string() {
    while (at_ < text_.size()) {
      if (text_[at_] == '"') return copy(1);
      if (text_[at_] != '\\') {
        plain_characters();
        continue;
      }
      const auto code = unicode_escape(text_, at_);
      if (!code || *code < 0xD800 || *code > 0xDFFF) {
        copy(code ? 6 : 2);
        continue;
      }
      const auto low = unicode_escape(text_, at_ + 6);
      if (*code < 0xDC00 && low && *low >= 0xDC00 && *low <= 0xDFFF) {
        copy(12);
        continue;
      }
      out_ += "\\ufffd";
      at_ += 6;
      ++losses_[kSurrogates];
    }
  }

  void plain_characters() {
    const std::size_t end = std::min(text_.find_first_of("\"\\", at_), text_.size());
    const std::string_view plain = text_.substr(at_, end - at_);
    const std::string escaped = escaped_text(plain);
    if (escaped != plain) ++losses_[kBytes];
    out_ += escaped;
    at_ = end;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string out_;
  Counts losses_;
};

}  // namespace

nlohmann::json parse_lenient_json(std::string_view text, SourceCounts& counts) {
  auto value = nlohmann::json::parse(text, nullptr, false);
  if (!value.is_discarded()) return value;
  Repair repair(text);
  const std::string repaired = repair.run();
  // Of what cannot be mended, the words are about the text as it is.
  if (repair.losses().empty()) return nlohmann::json::parse(text);
  value = nlohmann::json::parse(repaired);
  counts += {repair.losses(), {}};
  return value;
}

std::string json_text(const nlohmann::json& value) {
  if (value.is_null()) return "";
  // Strings come out of the parser as UTF-8, so that dump() cannot fail on them.
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace quasar::corpus
