#include "encoder/unicode.h"

#include <algorithm>
#include <span>

#include "encoder/unicode_case.h"
#include "encoder/unicode_categories.h"

namespace quasar::encoder {
namespace {

constexpr char32_t kReplacement = 0xFFFD;
constexpr char32_t kCapitalSigma = 0x3A3;
constexpr char32_t kSmallSigma = 0x3C3;
constexpr char32_t kFinalSigma = 0x3C2;
constexpr char32_t kDottedCapitalI = 0x130;
constexpr char32_t kDotAbove = 0x307;

bool contains(std::span<const CharacterRange> ranges, char32_t character) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), character,
                       [](char32_t c, const CharacterRange& range) { return c < range.first; });
  return after != ranges.begin() && character <= std::prev(after)->last;
}

char32_t simple_lower(char32_t character) {
  const auto after = std::upper_bound(kLower.begin(), kLower.end(), character,
                                      [](char32_t c, const LowerCaseRun& run) { return c < run.first; });
  if (after == kLower.begin()) return character;
  const LowerCaseRun& run = *std::prev(after);
  if (character > run.last || (character - run.first) % static_cast<char32_t>(run.step) != 0)
    return character;
  return static_cast<char32_t>(static_cast<int>(character) + run.offset);
}

/// A sigma is final after a cased letter and not before one; case-ignorable characters between do not count.
bool is_final_sigma(std::u32string_view text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && contains(kCaseIgnorable, text[before - 1])) --before;
  if (before == 0 || !contains(kCased, text[before - 1])) return false;
  std::size_t after = at + 1;
  while (after < text.size() && contains(kCaseIgnorable, text[after])) ++after;
  return after == text.size() || !contains(kCased, text[after]);
}

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string result;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    bool valid = length > 0 && i + length <= text.size();
    char32_t character = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; valid && k < length; ++k) {
      valid = (byte(i + k) & 0xC0U) == 0x80U;
      character = (character << 6U) | (byte(i + k) & 0x3FU);
    }
    constexpr std::array<char32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
    valid = valid && character >= kSmallest[length] && character <= 0x10FFFF &&
            !(character >= 0xD800 && character < 0xE000);
    result.push_back(valid ? character : kReplacement);
    i += valid ? length : 1;
  }
  return result;
}

void append_utf8(std::string& text, char32_t character) {
  const auto push = [&](char32_t bits) {
    text.push_back(static_cast<char>(static_cast<unsigned char>(bits)));
  };
  if (character < 0x80) {
    push(character);
  } else if (character < 0x800) {
    push(0xC0U | (character >> 6U));
    push(0x80U | (character & 0x3FU));
  } else if (character < 0x10000) {
    push(0xE0U | (character >> 12U));
    push(0x80U | ((character >> 6U) & 0x3FU));
    push(0x80U | (character & 0x3FU));
  } else {
    push(0xF0U | (character >> 18U));
    push(0x80U | ((character >> 12U) & 0x3FU));
    push(0x80U | ((character >> 6U) & 0x3FU));
    push(0x80U | (character & 0x3FU));
  }
}

std::string encode_utf8(std::u32string_view text) {
  std::string result;
  for (const char32_t character : text) append_utf8(result, character);
  return result;
}

bool is_letter(char32_t character) {
  return contains(kLetters, character);
}

bool is_number(char32_t character) {
  return contains(kNumbers, character);
}

bool is_space(char32_t character) {
  return (character >= 0x09 && character <= 0x0D) || (character >= 0x1C && character <= 0x20) ||
         character == 0x85 || character == 0xA0 || character == 0x1680 ||
         (character >= 0x2000 && character <= 0x200A) || character == 0x2028 || character == 0x2029 ||
         character == 0x202F || character == 0x205F || character == 0x3000;
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

}  // namespace quasar::encoder
