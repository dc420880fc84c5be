// Internal to the module: what cleaning and tokenizing ask of Unicode. The properties are utf8proc's.
#pragma once

#include <string>
#include <string_view>

namespace quasar::text {

/// UTF-8 to code points; bytes that are no UTF-8 become U+FFFD.
std::u32string decode_utf8(std::string_view text);
void append_utf8(std::string& text, char32_t character);
std::string encode_utf8(std::u32string_view text);

/// General categories L and N.
bool is_letter(char32_t character);
bool is_number(char32_t character);
/// What Python's str.isspace accepts.
bool is_space(char32_t character);

/// Lower case by the full rules that need no language: a final capital sigma becomes the final small one, and
/// a dotted capital I two characters.
std::u32string lower_case(std::u32string_view text);

/// Canonical composition (normal form C).
std::u32string compose(std::u32string_view text);

}  // namespace quasar::text
