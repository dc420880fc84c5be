// Internal to the module: what CLIP's tokenizers do to a text before they cut it.
//
// The reference cleans with ftfy. Its repairs are done here: terminal escapes and control characters removed,
// curly quotes straightened, Latin ligatures and full-width forms spelt out, UTF-8 that was read as Latin-1
// or Windows-1252 read again, letters composed. By hand, because ftfy is Python and no library does the same;
// what it takes from Unicode is utf8proc's.
#pragma once

#include <string>
#include <string_view>

namespace quasar::text {

/// The text as the tokenizer sees it: repaired, HTML entities resolved twice, white space collapsed, lower
/// case.
std::string clean_prompt(std::string_view text);

}  // namespace quasar::text
