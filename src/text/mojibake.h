// Internal to the module: text that was written as UTF-8 and read as another encoding.
#pragma once

#include <string>
#include <string_view>

namespace quasar::text {

/// Undoes the reading of UTF-8 as Latin-1 or Windows-1252, however many times it happened ("cafÃ©" is
/// "café"), where combinations of characters that texts do not have show it; otherwise returns the text as it
/// is. Follows the heuristic that ftfy 6 (R. Speer) describes, as far as these two encodings go.
std::u32string undo_misreading(std::u32string_view text);

}  // namespace quasar::text
