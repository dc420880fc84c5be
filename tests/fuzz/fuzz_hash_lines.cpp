// Lines of hashes from anywhere: none, or a hash of hexadecimal digits, a quality in its range and a path,
// which together are the line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "curation/hash_line.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    const auto parsed = quasar::curation::parse_hash_line(line);
    if (!parsed) continue;
    if (parsed->picture.size() != 64 ||
        parsed->picture.find_first_not_of("0123456789abcdef") != std::string_view::npos ||
        parsed->quality < 0 || parsed->quality > 100)
      std::abort();
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with(parsed->picture) || !line.ends_with(parsed->path)) std::abort();
    // Between them stands the quality alone, with leading zeros at the most.
    const auto between = line.substr(64, line.size() - 64 - parsed->path.size());
    if (between.size() < 3 || !between.starts_with(' ') || !between.ends_with(' ') ||
        std::atoi(std::string(between).c_str()) != parsed->quality)
      std::abort();
  }
  return 0;
}
