// Owns what text becomes on its way into HTML and SVG.
#pragma once

#include <string>
#include <string_view>

namespace quasar::plot {

/// Text for element content and quoted attributes of HTML and of XML. What these forbid (control characters,
/// bytes that are no UTF-8, U+FFFE and U+FFFF) becomes U+FFFD; line ends and tabs become spaces.
std::string escaped(std::string_view text);

/// RFC 4648, with padding.
std::string base64(std::string_view bytes);

/// Takes the next line off `text`: at most `most` bytes where spaces allow it; a longer word has a line of
/// its own.
std::string first_words(std::string_view& text, std::size_t most);

}  // namespace quasar::plot
