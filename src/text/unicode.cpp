#include "text/unicode.h"

#include <utf8proc.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "base/errors.h"

namespace quasar::text {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kSmallSigma = 0x3C3;
constexpr char32_t kFinalSigma = 0x3C2;
constexpr char32_t kDottedCapitalI = 0x130;
constexpr char32_t kDotAbove = 0x307;

utf8proc_category_t category(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character));
}

char32_t simple_lower(char32_t character) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character)));
}

/// Unicode's Case_Ignorable: marks, formatting, modifiers, and what stands inside words (the classes
/// MidLetter, MidNumLet and Single_Quote of UAX 29).
bool is_case_ignorable(char32_t c) {
  constexpr std::u32string_view kInsideWords =
      U"'.:\u00B7\u0387\u055F\u05F4\u2018\u2019\u2024\u2027\uFE13\uFE52\uFE55\uFF07\uFF0E\uFF1A";
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK:
      return true;
    default:
      return kInsideWords.find(c) != std::u32string_view::npos;
  }
}

/// Unicode's Cased, but for letters in squares.
bool is_cased(char32_t c) {
  constexpr std::u32string_view kOrdinals = U"\u00AA\u00BA";
  const auto found = category(c);
  const bool has_other_case = simple_lower(c) != c || utf8proc_toupper(static_cast<utf8proc_int32_t>(c)) !=
                                                          static_cast<utf8proc_int32_t>(c);
  return found == UTF8PROC_CATEGORY_LU || found == UTF8PROC_CATEGORY_LL || found == UTF8PROC_CATEGORY_LT ||
         has_other_case || kOrdinals.find(c) != std::u32string_view::npos;
}

/// A sigma is final after a cased letter and not before one; case-ignorable characters between do not count.
bool is_final_sigma(std::u32string_view text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  std::size_t after = at + 1;
  while (after < text.size() && is_case_ignorable(text[after])) ++after;
  return after == text.size() || !is_cased(text[after]);
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string result;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t character = 0;
    const utf8proc_ssize_t length = utf8proc_iterate(bytes, left, &character);
    result.push_back(length > 0 ? static_cast<char32_t>(character) : kReplacement);
    bytes += length > 0 ? length : 1;
    left -= length > 0 ? length : 1;
  }
  return result;
}

void append_utf8(std::string& text, char32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(character), bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(length));
}

std::string encode_utf8(std::u32string_view text) {
  std::string result;
  for (const char32_t character : text) append_utf8(result, character);
  return result;
}

bool is_letter(char32_t character) {
  const auto found = category(character);
  return found >= UTF8PROC_CATEGORY_LU && found <= UTF8PROC_CATEGORY_LO;
}

bool is_number(char32_t character) {
  const auto found = category(character);
  return found >= UTF8PROC_CATEGORY_ND && found <= UTF8PROC_CATEGORY_NO;
}

bool is_space(char32_t character) {
  return (character >= 0x09 && character <= 0x0D) || (character >= 0x1C && character <= 0x1F) ||
         character == 0x85 ||
         (category(character) >= UTF8PROC_CATEGORY_ZS && category(character) <= UTF8PROC_CATEGORY_ZP);
}

std::u32string lower_case(std::u32string_view text) {
  std::u32string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == kCapitalSigma) {
      result.push_back(is_final_sigma(text, i) ? kFinalSigma : kSmallSigma);
    } else if (text[i] == kDottedCapitalI) {
      result.append({U'i', kDotAbove});
    } else {
      result.push_back(simple_lower(text[i]));
    }
  }
  return result;
}

std::u32string compose(std::u32string_view text) {
  const std::string bytes = encode_utf8(text);
  utf8proc_uint8_t* composed = nullptr;
  const auto length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(bytes.data()),
                                   static_cast<utf8proc_ssize_t>(bytes.size()), &composed,
                                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(composed, &std::free);
  if (length < 0)
    base::fail(base::ExitCode::kInternal, std::string("text cannot be composed: ") + utf8proc_errmsg(length));
  return decode_utf8({reinterpret_cast<const char*>(composed), static_cast<std::size_t>(length)});
}

}  // namespace quasar::text
