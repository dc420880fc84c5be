#include "curation/hash_line.h"

#include <charconv>

#include "curation/duplicate_rule.h"
#include "curation/hash_digits.h"

namespace quasar::curation {

std::optional<HashLine> parse_hash_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  HashLine parsed;
  parsed.picture = line.substr(0, kPictureDigits);
  if (line.size() <= kPictureDigits || line[kPictureDigits] != ' ' || !parse_hash(parsed.picture))
    return std::nullopt;
  line.remove_prefix(kPictureDigits + 1);
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), parsed.quality);
  const auto digits = static_cast<std::size_t>(end - line.data());
  if (error != std::errc{} || parsed.quality < 0 || parsed.quality > 100 || digits >= line.size() ||
      line[digits] != ' ')
    return std::nullopt;
  parsed.path = line.substr(digits + 1);
  return parsed;
}

}  // namespace quasar::curation
