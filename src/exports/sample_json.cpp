#include "exports/sample_json.h"

#include <fmt/format.h>

#include "corpus/sources/lenient_json.h"

namespace quasar::exports {
namespace {

constexpr const char* kBlanks = " \t\r\n";

std::string dumped(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

nlohmann::ordered_json row_object(const ManifestLine& line) {
  auto object = line.columns;
  for (const char* const column : {"source", "member", "offset", "keep", "fields"}) object.erase(column);
  return object;
}

std::optional<std::string> sample_json(const ManifestLine& line, const std::optional<std::string>& own) {
  std::string text = "{}";
  if (own) {
    text = *own;
  } else if (const auto fields = line.columns.find("fields");
             fields != line.columns.end() && fields->is_object()) {
    text = dumped(*fields);
  }
  nlohmann::json known;
  try {
    corpus::SourceCounts ignored;
    known = corpus::parse_lenient_json(text, ignored);
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
  if (!known.is_object()) return std::nullopt;
  std::string key = "quasar";
  for (int i = 2; known.contains(key); ++i) key = fmt::format("quasar_{}", i);
  // Up to the brace that ends it.
  const std::size_t brace = text.find_last_not_of(kBlanks);
  if (brace == std::string::npos || text[brace] != '}') return std::nullopt;
  text.resize(brace);
  return fmt::format("{}{}\"{}\": {}}}", text, known.empty() ? "" : ", ", key, dumped(row_object(line)));
}

}  // namespace quasar::exports
