#include "text/mojibake.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "text/html_entities.h"
#include "text/unicode.h"

namespace quasar::text {
namespace {

/// Kinds of characters, as bits, for what UTF-8 read as Windows-1252 consists of.
enum Kind : unsigned {
  kControl = 1U << 0U,   ///< U+0080 to U+009F: no text has them.
  kLeftover = 1U << 1U,  ///< Signs that hardly any text has beside other signs or accented letters.
  kLaw = 1U << 2U,       ///< Paragraph and section sign.
  kCurrency = 1U << 3U,
  kOpening = 1U << 4U,  ///< Punctuation before a word.
  kClosing = 1U << 5U,  ///< Punctuation behind a word.
  kNumeric = 1U << 6U,
  kUpper = 1U << 7U,   ///< Accented capital letters, but for those that faces are drawn with.
  kLower = 1U << 8U,   ///< Accented small letters, likewise.
  kCommon = 1U << 9U,  ///< Occur everywhere.
  kAsciiUpper = 1U << 10U,
  kAsciiLower = 1U << 11U,
  kNoAsciiLetter = 1U << 12U,
  kLetter = 1U << 13U,  ///< Letters and digits, whatever else they are.
  kSpace = 1U << 14U,
  kDegree = 1U << 15U,
  kLigature = 1U << 16U,   ///< The letters OE in one.
  kLatinLead = 1U << 17U,  ///< What the first byte of U+0080 to U+00FF, and of Greek and Cyrillic, reads as.
  kLatinSecond = 1U << 18U,  ///< What often follows them besides punctuation.
  kArabicLead = 1U << 19U,
  kArabicSecond = 1U << 20U,
  kIndicLead = 1U << 21U,
  kIndicSecond = 1U << 22U,
  kThorn = 1U << 23U,
  kTimes = 1U << 24U,
  kPower = 1U << 25U,      ///< Superscript 2 and 3.
  kTilde = 1U << 26U,      ///< Capital A with tilde: the first half of most accented letters.
  kGraveHalf = 1U << 27U,  ///< The second halves of a with grave and with acute, rare in words otherwise.
};

bool is_one_of(char32_t character, std::u32string_view set) {
  return set.find(character) != std::u32string_view::npos;
}

bool is_between(char32_t character, char32_t first, char32_t last) {
  return character >= first && character <= last;
}

unsigned kinds_of(char32_t c) {
  struct Set {
    unsigned kind;
    std::u32string_view characters;
  };
  static constexpr std::array<Set, 20> kSets = {{
      {kLeftover,
       U"\u00A4\u00A6\u00A8\u00AA\u00AC\u00AF\u00B8\u00BA\u0192\u02C6\u02DC\u2020\u2021\u2030\uFFFD"},
      {kLaw, U"\u00A7\u00B6"},
      {kCurrency, U"\u00A2\u00A3\u00A5\u20AC"},
      {kOpening, U"\u00A1\u00A9\u00AB\u00BF\u2018\u201A\u201C\u201E\u2022\u2039"},
      {kClosing, U"\u00AE\u00BB\u201D\u203A\u2122"},
      {kNumeric, U"\u00B1\u00B2\u00B3\u00B5\u00B9\u00BC\u00BD\u00BE\u00D7\u00F7"},
      {kUpper, U"\u00D8\u00DC\u00DD\u0152\u0160\u0178\u017D"},
      {kLower, U"\u00DF\u00FC\u0153\u0161\u017E"},
      {kCommon, U"\u00A0\u00AD\u00B4\u00B7\u2013\u2014\u2026\u2019"},
      {kDegree, U"\u00B0"},
      {kLigature, U"\u0152\u0153"},
      {kLatinLead, U"\u00C2\u00C3\u00CE\u00D0"},
      {kLatinSecond,
       U"\u00A0\u00A2\u00A3\u00AD\u00B0\u00B4\u00B7\u0153\u0160\u0161\u0178\u017E\u2013\u2014\u20AC"},
      {kArabicLead, U"\u00D8\u00D9"},
      {kArabicSecond, U"\u00AE\u00B0\u00B5\u00BB\u0160\u0178"},
      {kIndicLead, U"\u00E0"},
      {kIndicSecond, U"\u00B2\u00B5\u00B9\u00BC\u00BD\u00BE"},
      {kThorn, U"\u00DE"},
      {kTimes, U"\u00D7"},
      {kPower, U"\u00B2\u00B3"},
  }};
  unsigned kinds = 0;
  for (const Set& set : kSets)
    if (is_one_of(c, set.characters)) kinds |= set.kind;
  if (is_between(c, 0x80, 0x9F)) kinds |= kControl;
  if (is_between(c, 0xC0, 0xD1)) kinds |= kUpper;
  if (is_between(c, 0xE0, 0xF1)) kinds |= kLower;
  if (is_between(c, U'A', U'Z')) kinds |= kAsciiUpper;
  if (is_between(c, U'a', U'z')) kinds |= kAsciiLower;
  if (is_letter(c) || is_number(c) || c == U'_') kinds |= kLetter;
  if (is_space(c)) kinds |= kSpace;
  if (c == 0xC3) kinds |= kTilde;
  if (c == 0xA0 || c == 0xA1) kinds |= kGraveHalf;
  if ((kinds & (kAsciiUpper | kAsciiLower)) == 0) kinds |= kNoAsciiLetter;
  return kinds;
}

/// Characters in a row that show a misreading, each of any of the kinds given; 0 ends a shorter row.
using Row = std::array<unsigned, 4>;

constexpr unsigned kAccented = kUpper | kLower;
constexpr unsigned kSigns = kOpening | kClosing | kCurrency | kNumeric | kLaw;
constexpr unsigned kAfterArabic = kCommon | kCurrency | kLeftover | kNumeric | kOpening | kArabicSecond;
constexpr std::array<Row, 21> kTelltale = {{
    {kControl},
    {kLeftover | kAccented | kSigns, kLeftover},
    {kLeftover, kAccented | kSigns},
    {kAsciiUpper | kAsciiLower, kThorn, kLeftover},
    {kLower | kClosing | kCurrency | kNumeric, kUpper},
    {kClosing | kCurrency | kNumeric, kLower},
    {kLower | kClosing, kCurrency},
    {kSpace, kUpper, kCurrency},
    {kUpper, kNumeric | kLaw},
    {kAccented | kCurrency | kClosing, kOpening, kNumeric},
    {kAccented | kCurrency | kNumeric | kLaw, kClosing, kOpening},
    {kCurrency | kNumeric, kOpening},
    {kAsciiLower, kUpper, kOpening | kCurrency},
    {kAccented, kOpening | kClosing, kLetter},
    {kLigature, kNoAsciiLetter},
    {kUpper, kDegree},
    {kLatinLead, kLatinSecond | kOpening | kClosing},
    {kTimes, kPower},
    {kArabicLead, kAfterArabic, kArabicLead, kAfterArabic},
    {kIndicLead, kIndicSecond},
    {kTilde, kGraveHalf},
}};

/// Whether a text shows that something in it was misread.
bool is_suspicious(std::u32string_view text) {
  std::vector<unsigned> kinds;
  for (const char32_t c : text) kinds.push_back(kinds_of(c));
  const auto begins_at = [&](std::size_t at) {
    return std::any_of(kTelltale.begin(), kTelltale.end(), [&](const Row& row) {
      std::size_t i = 0;
      while (i < row.size() && row[i] != 0 && at + i < kinds.size() && (row[i] & kinds[at + i]) != 0) ++i;
      return i == row.size() || row[i] == 0;
    });
  };
  for (std::size_t at = 0; at < kinds.size(); ++at)
    if (begins_at(at)) return true;
  return false;
}

/// The byte that reads as a character in Latin-1 or Windows-1252.
std::optional<unsigned char> byte_of(char32_t c) {
  if (c < 0x100) return static_cast<unsigned char>(c);
  for (char32_t byte = 0x80; byte < 0xA0; ++byte)
    if (windows_1252(byte) == c) return static_cast<unsigned char>(byte);
  return std::nullopt;
}

bool is_continuation(char32_t c) {
  const auto byte = byte_of(c);
  return byte && *byte >= 0x80 && *byte < 0xC0;
}

/// Whether a character is rather half of a misread one than the punctuation that stands before a word.
bool is_likely_half(char32_t c) {
  return is_continuation(c) && !is_one_of(c, U"\u00A0\u2013\u2014\u2018\u2019\u201C\u201D\u2022\u2026");
}

/// Length of the character whose first UTF-8 byte and whole rest stand, misread, at a place; 0 where none is.
std::size_t misread_length(std::u32string_view text, std::size_t at) {
  const auto lead = byte_of(text[at]);
  if (!lead || *lead < 0xC2 || *lead > 0xF4) return 0;
  const std::size_t length = *lead < 0xE0 ? 2 : *lead < 0xF0 ? 3 : 4;
  if (at + length > text.size()) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if (!is_continuation(text[at + i])) return 0;
  return length;
}

/// Reads the text's bytes as UTF-8; nothing where it has none or they are no UTF-8.
std::optional<std::u32string> reread(std::u32string_view text) {
  std::string bytes;
  for (const char32_t c : text) {
    const auto byte = byte_of(c);
    if (!byte) return std::nullopt;
    bytes.push_back(static_cast<char>(*byte));
  }
  const std::u32string result = decode_utf8(bytes);
  // U+FFFD stands for what is no UTF-8, unless it was there in UTF-8 itself.
  if (encode_utf8(result) != bytes) return std::nullopt;
  return result;
}

std::u32string undo_in_whole(std::u32string text) {
  while (is_suspicious(text)) {
    std::optional<std::u32string> better = reread(text);
    if (!better || *better == text) break;
    text = std::move(*better);
  }
  return text;
}

/// Undoes what is suspicious by itself, run by run, in a text whose rest is sound or misread otherwise.
std::u32string undo_in_part(std::u32string_view text) {
  std::u32string result;
  for (std::size_t at = 0; at < text.size();) {
    // What follows half a character may be its other half: there is no telling where one begins.
    const bool torn = at > 0 && is_likely_half(text[at - 1]);
    std::size_t end = at;
    while (!torn && end < text.size()) {
      const std::size_t length = misread_length(text, end);
      if (length == 0) break;
      end += length;
    }
    if (end == at) {
      result.push_back(text[at++]);
      continue;
    }
    result += undo_in_whole(std::u32string(text.substr(at, end - at)));
    at = end;
  }
  return result;
}

}  // namespace

std::u32string undo_misreading(std::u32string_view text) {
  std::u32string result(text);
  while (true) {
    std::u32string better = undo_in_whole(result);
    if (is_suspicious(better)) better = undo_in_part(better);
    if (better == result) return result;
    result = std::move(better);
  }
}

}  // namespace quasar::text
