// A description from anywhere, as JSON or as Python writes it: a value that can be written, read again and
// give the same, or nlohmann's parse error, with nothing counted then. What is JSON loses nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "corpus/path_text.h"
#include "corpus/sources/lenient_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  quasar::corpus::SourceCounts counts;
  try {
    const auto value = quasar::corpus::parse_lenient_json(text, counts);
    const std::string written = value.dump();
    if (nlohmann::json::parse(written).dump() != written) std::abort();
    if (counts.left_out.empty() && !nlohmann::json::accept(text)) std::abort();
    if (!counts.left_out.empty() && nlohmann::json::accept(text)) std::abort();
    const std::string as_field = quasar::corpus::escaped_text(quasar::corpus::json_text(value));
    if (quasar::corpus::escaped_text(as_field) != as_field) std::abort();
  } catch (const nlohmann::json::parse_error&) {
    if (!counts.left_out.empty()) std::abort();
  }
  return 0;
}
