// Internal to the module: HTML character references. By hand: no library that we have knows their names.
#pragma once

#include <string>
#include <string_view>

namespace quasar::text {

/// Resolves references as HTML 5 parsers (and Python's html.unescape) do, numeric and named; the names are
/// HTML 4's 252, the few upper-case old ones and &apos;. Names that old pages wrote without semicolon are
/// recognised so.
std::u32string resolve_html_entities(std::u32string_view text);

/// What the byte 0x80 + i means in the code page Windows-1252; 0x80 + i where it means nothing.
char32_t windows_1252(char32_t byte);

}  // namespace quasar::text
