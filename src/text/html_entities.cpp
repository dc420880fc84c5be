#include "text/html_entities.h"

#include <algorithm>
#include <array>
#include <optional>

namespace quasar::text {
namespace {

struct Entity {
  std::string_view name;
  char32_t character;
  bool bare = false;  ///< Also recognised without semicolon.
};

constexpr bool kBare = true;

/// Ordered by name.
constexpr std::array<Entity, 259> kEntities = {
    {{"AElig", 0xC6, kBare},  {"AMP", 0x26, kBare},    {"Aacute", 0xC1, kBare}, {"Acirc", 0xC2, kBare},
     {"Agrave", 0xC0, kBare}, {"Alpha", 0x391},        {"Aring", 0xC5, kBare},  {"Atilde", 0xC3, kBare},
     {"Auml", 0xC4, kBare},   {"Beta", 0x392},         {"COPY", 0xA9, kBare},   {"Ccedil", 0xC7, kBare},
     {"Chi", 0x3A7},          {"Dagger", 0x2021},      {"Delta", 0x394},        {"ETH", 0xD0, kBare},
     {"Eacute", 0xC9, kBare}, {"Ecirc", 0xCA, kBare},  {"Egrave", 0xC8, kBare}, {"Epsilon", 0x395},
     {"Eta", 0x397},          {"Euml", 0xCB, kBare},   {"GT", 0x3E, kBare},     {"Gamma", 0x393},
     {"Iacute", 0xCD, kBare}, {"Icirc", 0xCE, kBare},  {"Igrave", 0xCC, kBare}, {"Iota", 0x399},
     {"Iuml", 0xCF, kBare},   {"Kappa", 0x39A},        {"LT", 0x3C, kBare},     {"Lambda", 0x39B},
     {"Mu", 0x39C},           {"Ntilde", 0xD1, kBare}, {"Nu", 0x39D},           {"OElig", 0x152},
     {"Oacute", 0xD3, kBare}, {"Ocirc", 0xD4, kBare},  {"Ograve", 0xD2, kBare}, {"Omega", 0x3A9},
     {"Omicron", 0x39F},      {"Oslash", 0xD8, kBare}, {"Otilde", 0xD5, kBare}, {"Ouml", 0xD6, kBare},
     {"Phi", 0x3A6},          {"Pi", 0x3A0},           {"Prime", 0x2033},       {"Psi", 0x3A8},
     {"QUOT", 0x22, kBare},   {"REG", 0xAE, kBare},    {"Rho", 0x3A1},          {"Scaron", 0x160},
     {"Sigma", 0x3A3},        {"THORN", 0xDE, kBare},  {"Tau", 0x3A4},          {"Theta", 0x398},
     {"Uacute", 0xDA, kBare}, {"Ucirc", 0xDB, kBare},  {"Ugrave", 0xD9, kBare}, {"Upsilon", 0x3A5},
     {"Uuml", 0xDC, kBare},   {"Xi", 0x39E},           {"Yacute", 0xDD, kBare}, {"Yuml", 0x178},
     {"Zeta", 0x396},         {"aacute", 0xE1, kBare}, {"acirc", 0xE2, kBare},  {"acute", 0xB4, kBare},
     {"aelig", 0xE6, kBare},  {"agrave", 0xE0, kBare}, {"alefsym", 0x2135},     {"alpha", 0x3B1},
     {"amp", 0x26, kBare},    {"and", 0x2227},         {"ang", 0x2220},         {"apos", 0x27},
     {"aring", 0xE5, kBare},  {"asymp", 0x2248},       {"atilde", 0xE3, kBare}, {"auml", 0xE4, kBare},
     {"bdquo", 0x201E},       {"beta", 0x3B2},         {"brvbar", 0xA6, kBare}, {"bull", 0x2022},
     {"cap", 0x2229},         {"ccedil", 0xE7, kBare}, {"cedil", 0xB8, kBare},  {"cent", 0xA2, kBare},
     {"chi", 0x3C7},          {"circ", 0x2C6},         {"clubs", 0x2663},       {"cong", 0x2245},
     {"copy", 0xA9, kBare},   {"crarr", 0x21B5},       {"cup", 0x222A},         {"curren", 0xA4, kBare},
     {"dArr", 0x21D3},        {"dagger", 0x2020},      {"darr", 0x2193},        {"deg", 0xB0, kBare},
     {"delta", 0x3B4},        {"diams", 0x2666},       {"divide", 0xF7, kBare}, {"eacute", 0xE9, kBare},
     {"ecirc", 0xEA, kBare},  {"egrave", 0xE8, kBare}, {"empty", 0x2205},       {"emsp", 0x2003},
     {"ensp", 0x2002},        {"epsilon", 0x3B5},      {"equiv", 0x2261},       {"eta", 0x3B7},
     {"eth", 0xF0, kBare},    {"euml", 0xEB, kBare},   {"euro", 0x20AC},        {"exist", 0x2203},
     {"fnof", 0x192},         {"forall", 0x2200},      {"frac12", 0xBD, kBare}, {"frac14", 0xBC, kBare},
     {"frac34", 0xBE, kBare}, {"frasl", 0x2044},       {"gamma", 0x3B3},        {"ge", 0x2265},
     {"gt", 0x3E, kBare},     {"hArr", 0x21D4},        {"harr", 0x2194},        {"hearts", 0x2665},
     {"hellip", 0x2026},      {"iacute", 0xED, kBare}, {"icirc", 0xEE, kBare},  {"iexcl", 0xA1, kBare},
     {"igrave", 0xEC, kBare}, {"image", 0x2111},       {"infin", 0x221E},       {"int", 0x222B},
     {"iota", 0x3B9},         {"iquest", 0xBF, kBare}, {"isin", 0x2208},        {"iuml", 0xEF, kBare},
     {"kappa", 0x3BA},        {"lArr", 0x21D0},        {"lambda", 0x3BB},       {"lang", 0x2329},
     {"laquo", 0xAB, kBare},  {"larr", 0x2190},        {"lceil", 0x2308},       {"ldquo", 0x201C},
     {"le", 0x2264},          {"lfloor", 0x230A},      {"lowast", 0x2217},      {"loz", 0x25CA},
     {"lrm", 0x200E},         {"lsaquo", 0x2039},      {"lsquo", 0x2018},       {"lt", 0x3C, kBare},
     {"macr", 0xAF, kBare},   {"mdash", 0x2014},       {"micro", 0xB5, kBare},  {"middot", 0xB7, kBare},
     {"minus", 0x2212},       {"mu", 0x3BC},           {"nabla", 0x2207},       {"nbsp", 0xA0, kBare},
     {"ndash", 0x2013},       {"ne", 0x2260},          {"ni", 0x220B},          {"not", 0xAC, kBare},
     {"notin", 0x2209},       {"nsub", 0x2284},        {"ntilde", 0xF1, kBare}, {"nu", 0x3BD},
     {"oacute", 0xF3, kBare}, {"ocirc", 0xF4, kBare},  {"oelig", 0x153},        {"ograve", 0xF2, kBare},
     {"oline", 0x203E},       {"omega", 0x3C9},        {"omicron", 0x3BF},      {"oplus", 0x2295},
     {"or", 0x2228},          {"ordf", 0xAA, kBare},   {"ordm", 0xBA, kBare},   {"oslash", 0xF8, kBare},
     {"otilde", 0xF5, kBare}, {"otimes", 0x2297},      {"ouml", 0xF6, kBare},   {"para", 0xB6, kBare},
     {"part", 0x2202},        {"permil", 0x2030},      {"perp", 0x22A5},        {"phi", 0x3C6},
     {"pi", 0x3C0},           {"piv", 0x3D6},          {"plusmn", 0xB1, kBare}, {"pound", 0xA3, kBare},
     {"prime", 0x2032},       {"prod", 0x220F},        {"prop", 0x221D},        {"psi", 0x3C8},
     {"quot", 0x22, kBare},   {"rArr", 0x21D2},        {"radic", 0x221A},       {"rang", 0x232A},
     {"raquo", 0xBB, kBare},  {"rarr", 0x2192},        {"rceil", 0x2309},       {"rdquo", 0x201D},
     {"real", 0x211C},        {"reg", 0xAE, kBare},    {"rfloor", 0x230B},      {"rho", 0x3C1},
     {"rlm", 0x200F},         {"rsaquo", 0x203A},      {"rsquo", 0x2019},       {"sbquo", 0x201A},
     {"scaron", 0x161},       {"sdot", 0x22C5},        {"sect", 0xA7, kBare},   {"shy", 0xAD, kBare},
     {"sigma", 0x3C3},        {"sigmaf", 0x3C2},       {"sim", 0x223C},         {"spades", 0x2660},
     {"sub", 0x2282},         {"sube", 0x2286},        {"sum", 0x2211},         {"sup", 0x2283},
     {"sup1", 0xB9, kBare},   {"sup2", 0xB2, kBare},   {"sup3", 0xB3, kBare},   {"supe", 0x2287},
     {"szlig", 0xDF, kBare},  {"tau", 0x3C4},          {"there4", 0x2234},      {"theta", 0x3B8},
     {"thetasym", 0x3D1},     {"thinsp", 0x2009},      {"thorn", 0xFE, kBare},  {"tilde", 0x2DC},
     {"times", 0xD7, kBare},  {"trade", 0x2122},       {"uArr", 0x21D1},        {"uacute", 0xFA, kBare},
     {"uarr", 0x2191},        {"ucirc", 0xFB, kBare},  {"ugrave", 0xF9, kBare}, {"uml", 0xA8, kBare},
     {"upsih", 0x3D2},        {"upsilon", 0x3C5},      {"uuml", 0xFC, kBare},   {"weierp", 0x2118},
     {"xi", 0x3BE},           {"yacute", 0xFD, kBare}, {"yen", 0xA5, kBare},    {"yuml", 0xFF, kBare},
     {"zeta", 0x3B6},         {"zwj", 0x200D},         {"zwnj", 0x200C}}};

constexpr std::size_t kLongestName = 32;

std::optional<char32_t> find_entity(std::u32string_view name, bool with_semicolon) {
  std::string ascii;
  for (const char32_t character : name) {
    if (character >= 0x80) return std::nullopt;
    ascii.push_back(static_cast<char>(character));
  }
  const auto found =
      std::lower_bound(kEntities.begin(), kEntities.end(), ascii,
                       [](const Entity& entity, const std::string& key) { return entity.name < key; });
  if (found == kEntities.end() || found->name != ascii || !(with_semicolon || found->bare))
    return std::nullopt;
  return found->character;
}

/// What a numeric reference stands for; nothing for characters that may not be referred to.
std::u32string resolve_number(char32_t number) {
  if (number == 0 || number > 0x10FFFF || (number >= 0xD800 && number < 0xE000)) return U"\uFFFD";
  if (number >= 0x80 && number < 0xA0) return {windows_1252(number)};
  const bool control = number < 0x20 && number != 0x09 && number != 0x0A && number != 0x0C && number != 0x0D;
  const bool no_character = (number & 0xFFFEU) == 0xFFFEU || (number >= 0xFDD0 && number <= 0xFDEF);
  if (control || number == 0x7F || no_character) return {};
  return {number};
}

/// Reads a number after "&#"; sets `end` behind it and its semicolon. Nothing when there are no digits.
std::optional<char32_t> read_number(std::u32string_view text, std::size_t begin, std::size_t& end) {
  const bool hexadecimal = begin < text.size() && (text[begin] == U'x' || text[begin] == U'X');
  const std::size_t first = hexadecimal ? begin + 1 : begin;
  std::size_t at = first;
  char32_t number = 0;
  for (; at < text.size(); ++at) {
    const char32_t c = text[at];
    char32_t digit = 16;
    if (c >= U'0' && c <= U'9') digit = c - U'0';
    if (hexadecimal && c >= U'a' && c <= U'f') digit = c - U'a' + 10;
    if (hexadecimal && c >= U'A' && c <= U'F') digit = c - U'A' + 10;
    if (digit == 16) break;
    number = std::min<char32_t>(number * (hexadecimal ? 16 : 10) + digit, 0x110000);
  }
  if (at == first) return std::nullopt;
  end = at < text.size() && text[at] == U';' ? at + 1 : at;
  return number;
}

/// Resolves a name that starts behind "&"; sets `end` behind what was used. Nothing when no name is known.
std::optional<char32_t> read_name(std::u32string_view text, std::size_t begin, std::size_t& end) {
  std::size_t length = 0;
  while (length < kLongestName && begin + length < text.size() &&
         std::u32string_view(U"\t\n\f <&#;").find(text[begin + length]) == std::u32string_view::npos)
    ++length;
  if (begin + length < text.size() && text[begin + length] == U';') {
    end = begin + length + 1;
    if (const auto character = find_entity(text.substr(begin, length), true)) return character;
  }
  // The longest beginning of at least two letters that needs no semicolon.
  for (; length > 1; --length) {
    end = begin + length;
    if (const auto character = find_entity(text.substr(begin, length), false)) return character;
  }
  return std::nullopt;
}

}  // namespace

char32_t windows_1252(char32_t byte) {
  constexpr std::array<char32_t, 32> kPage = {0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021,
                                              0x2C6,  0x2030, 0x160,  0x2039, 0x152,  0x8D,   0x17D,  0x8F,
                                              0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                              0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};
  return byte >= 0x80 && byte < 0xA0 ? kPage[byte - 0x80] : byte;
}

std::u32string resolve_html_entities(std::u32string_view text) {
  std::u32string result;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    if (text[i] == U'&' && i + 1 < text.size()) {
      if (text[i + 1] == U'#') {
        if (const auto number = read_number(text, i + 2, end)) {
          result += resolve_number(*number);
          i = end;
          continue;
        }
      } else if (const auto character = read_name(text, i + 1, end)) {
        result.push_back(*character);
        i = end;
        continue;
      }
    }
    result.push_back(text[i++]);
  }
  return result;
}

}  // namespace quasar::text
