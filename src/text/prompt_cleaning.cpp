#include "text/prompt_cleaning.h"

#include <algorithm>
#include <array>
#include <string>

#include "text/html_entities.h"
#include "text/mojibake.h"
#include "text/unicode.h"

namespace quasar::text {
namespace {

constexpr char32_t kEscape = 0x1B;

/// The plain forms of U+FF61 to U+FFEF, half-width Katakana and Hangul and signs; 0 where there is no single
/// one.
constexpr std::array<char32_t, 143> kPlainWidth = {
    0x3002, 0x300C, 0x300D, 0x3001, 0x30FB, 0x30F2, 0x30A1, 0x30A3, 0x30A5, 0x30A7, 0x30A9, 0x30E3, 0x30E5,
    0x30E7, 0x30C3, 0x30FC, 0x30A2, 0x30A4, 0x30A6, 0x30A8, 0x30AA, 0x30AB, 0x30AD, 0x30AF, 0x30B1, 0x30B3,
    0x30B5, 0x30B7, 0x30B9, 0x30BB, 0x30BD, 0x30BF, 0x30C1, 0x30C4, 0x30C6, 0x30C8, 0x30CA, 0x30CB, 0x30CC,
    0x30CD, 0x30CE, 0x30CF, 0x30D2, 0x30D5, 0x30D8, 0x30DB, 0x30DE, 0x30DF, 0x30E0, 0x30E1, 0x30E2, 0x30E4,
    0x30E6, 0x30E8, 0x30E9, 0x30EA, 0x30EB, 0x30EC, 0x30ED, 0x30EF, 0x30F3, 0x3099, 0x309A, 0x1160, 0x1100,
    0x1101, 0x11AA, 0x1102, 0x11AC, 0x11AD, 0x1103, 0x1104, 0x1105, 0x11B0, 0x11B1, 0x11B2, 0x11B3, 0x11B4,
    0x11B5, 0x111A, 0x1106, 0x1107, 0x1108, 0x1121, 0x1109, 0x110A, 0x110B, 0x110C, 0x110D, 0x110E, 0x110F,
    0x1110, 0x1111, 0x1112, 0xFFBF, 0xFFC0, 0xFFC1, 0x1161, 0x1162, 0x1163, 0x1164, 0x1165, 0x1166, 0xFFC8,
    0xFFC9, 0x1167, 0x1168, 0x1169, 0x116A, 0x116B, 0x116C, 0xFFD0, 0xFFD1, 0x116D, 0x116E, 0x116F, 0x1170,
    0x1171, 0x1172, 0xFFD8, 0xFFD9, 0x1173, 0x1174, 0x1175, 0xFFDD, 0xFFDE, 0xFFDF, 0xA2,   0xA3,   0xAC,
    0x0,    0xA6,   0xA5,   0x20A9, 0xFFE7, 0x2502, 0x2190, 0x2191, 0x2192, 0x2193, 0x25A0, 0x25CB, 0xFFEF};

struct Ligature {
  char32_t character;
  std::u32string_view letters;
};

constexpr std::array<Ligature, 22> kLigatures = {
    {{0x132, U"IJ"},       {0x133, U"ij"},      {0x149, U"\u02BCn"}, {0x1F1, U"DZ"},      {0x1F2, U"Dz"},
     {0x1F3, U"dz"},       {0x1C4, U"D\u017D"}, {0x1C5, U"D\u017E"}, {0x1C6, U"d\u017E"}, {0x1C7, U"LJ"},
     {0x1C8, U"Lj"},       {0x1C9, U"lj"},      {0x1CA, U"NJ"},      {0x1CB, U"Nj"},      {0x1CC, U"nj"},
     {0xFB00, U"ff"},      {0xFB01, U"fi"},     {0xFB02, U"fl"},     {0xFB03, U"ffi"},    {0xFB04, U"ffl"},
     {0xFB05, U"\u017Ft"}, {0xFB06, U"st"}}};

bool is_control(char32_t c) {
  return c < 0x09 || c == 0x0B || (c >= 0x0E && c < 0x20) || c == 0x7F || (c >= 0x206A && c < 0x2070) ||
         c == 0xFEFF || (c >= 0xFFF9 && c < 0xFFFD);
}

/// Length of a terminal escape sequence (ESC [ digits and semicolons, a letter) at a place; 0 where there is
/// none.
std::size_t escape_length(std::u32string_view text, std::size_t at) {
  if (text[at] != kEscape || at + 1 >= text.size() || text[at + 1] != U'[') return 0;
  std::size_t end = at + 2;
  while (end < text.size() && ((text[end] >= U'0' && text[end] <= U'9') || text[end] == U';')) ++end;
  const bool letter = end < text.size() &&
                      ((text[end] >= U'a' && text[end] <= U'z') || (text[end] >= U'A' && text[end] <= U'Z'));
  return letter ? end + 1 - at : 0;
}

void append_repaired(std::u32string& result, char32_t c) {
  c = windows_1252(c);
  const auto ligature = std::find_if(kLigatures.begin(), kLigatures.end(),
                                     [&](const Ligature& entry) { return entry.character == c; });
  if (ligature != kLigatures.end()) {
    for (const char32_t letter : ligature->letters) append_repaired(result, letter);
    return;
  }
  constexpr char32_t kFullWidthBegin = 0xFF01;
  constexpr char32_t kHalfWidthBegin = 0xFF61;
  constexpr char32_t kFullToAscii = 0xFEE0;
  if (c >= kFullWidthBegin && c <= 0xFF5E) c -= kFullToAscii;
  if (c == 0xFF5F || c == 0xFF60) c = c - 0xFF5F + 0x2985;
  if (c >= kHalfWidthBegin && c < kHalfWidthBegin + kPlainWidth.size() &&
      kPlainWidth[c - kHalfWidthBegin] != 0)
    c = kPlainWidth[c - kHalfWidthBegin];
  if (c == 0x2BC || (c >= 0x2018 && c <= 0x201B)) c = U'\'';
  if (c >= 0x201C && c <= 0x201F) c = U'"';
  if (!is_control(c)) result.push_back(c);
}

/// The repairs of ftfy that are plain tables.
std::u32string replace_oddities(std::u32string_view text) {
  std::u32string result;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t escape = escape_length(text, i); escape > 0) {
      i += escape;
    } else {
      append_repaired(result, text[i++]);
    }
  }
  return result;
}

/// Repairs a line as ftfy's fix_text does, again until nothing changes: one repair can bring another to
/// light.
std::u32string repair_line(std::u32string line, bool entities) {
  while (true) {
    std::u32string better = entities ? resolve_html_entities(line) : line;
    better = compose(replace_oddities(undo_misreading(better)));
    if (better == line) return line;
    line = std::move(better);
  }
}

std::u32string repair(std::u32string_view text) {
  std::u32string result;
  bool entities = true;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(U'\n', begin), text.size() - 1) + 1;
    const std::u32string_view line = text.substr(begin, end - begin);
    // A text with a tag in it may be about HTML; its entities wait until after the repairs, as with ftfy.
    entities = entities && line.find(U'<') == std::u32string_view::npos;
    result += repair_line(std::u32string(line), entities);
    begin = end;
  }
  return result;
}

std::u32string collapse_space(std::u32string_view text) {
  std::u32string result;
  for (const char32_t c : text) {
    if (!is_space(c)) {
      result.push_back(c);
    } else if (!result.empty() && result.back() != U' ') {
      result.push_back(U' ');
    }
  }
  if (!result.empty() && result.back() == U' ') result.pop_back();
  return result;
}

}  // namespace

std::string clean_prompt(std::string_view raw) {
  std::u32string text = repair(decode_utf8(raw));
  text = resolve_html_entities(resolve_html_entities(text));
  return encode_utf8(lower_case(collapse_space(text)));
}

}  // namespace quasar::text
