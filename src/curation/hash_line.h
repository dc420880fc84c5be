// Internal to the module: a line "HASH QUALITY PATH", as `quasar hash` prints it and as anyone may have
// written it.
#pragma once

#include <optional>
#include <string_view>

namespace quasar::curation {

/// What the line says; views of it.
struct HashLine {
  std::string_view picture;  ///< PDQ: 64 lower-case hexadecimal digits.
  int quality = 0;           ///< 0 to 100.
  std::string_view path;     ///< All that follows, spaces included.
};

/// Empty for a line of another kind. An end of CR is no part of it.
std::optional<HashLine> parse_hash_line(std::string_view line);

}  // namespace quasar::curation
