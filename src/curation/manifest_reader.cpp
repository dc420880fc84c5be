#include "curation/manifest_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/errors.h"

namespace quasar::curation {
namespace {

using nlohmann::ordered_json;

[[noreturn]] void refuse(const std::filesystem::path& path, std::uint64_t line, const std::string& what) {
  base::fail(base::ExitCode::kInput, path.string() + ":" + std::to_string(line) + ": " + what +
                                         "; \"quasar rank\" writes the manifest again");
}

/// A value as a cell of such a column; texts live in `text`.
Cell cell_of(const ordered_json& value, CellType type, std::string& text) {
  if (type == CellType::kScore && value.is_number()) return value.get<float>();
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  if (value.is_number()) return value.get<double>();
  if (value.is_null()) return {};
  text = value.is_string() ? value.get<std::string>() : value.dump();
  return std::string_view(text);
}

}  // namespace

ManifestReader::ManifestReader(std::filesystem::path path, const std::vector<std::string>& scores)
    : lines_(std::move(path)), cursor_(lines_), columns_(scores) {
  ManifestLines::Cursor peek(lines_);
  if (!peek.next()) return;
  const auto first = ordered_json::parse(peek.line(), nullptr, false);
  if (!first.is_object()) refuse(lines_.path(), 1, "no row of a manifest");
  for (const auto& score : scores) {
    if (!first.contains(score)) refuse(lines_.path(), 1, "the row has no score '" + score + "'");
  }
  std::vector<Column> added;
  for (const auto& [name, value] : first.items()) {
    const auto is_it = [&name = name](const Column& column) { return column.name == name; };
    if (std::none_of(columns_.begin(), columns_.end(), is_it)) added.push_back({name, CellType::kNumber});
  }
  columns_ = Columns(scores, std::move(added));
}

bool ManifestReader::next(ManifestRow& row) {
  if (!cursor_.next()) return false;
  const auto object = ordered_json::parse(cursor_.line(), nullptr, false);
  if (!object.is_object()) refuse(lines_.path(), cursor_.number(), "no row of a manifest");
  row.assign(columns_.size(), Cell());
  texts_.resize(columns_.size());
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const auto found = object.find(columns_[c].name);
    if (found != object.end()) row[c] = cell_of(*found, columns_[c].type, texts_[c]);
  }
  const auto has_text = [&](std::size_t column) {
    return std::holds_alternative<std::string_view>(row[column]);
  };
  if (!has_text(columns_.id()) || !has_text(columns_.index_of("status")) ||
      !has_text(columns_.index_of("reason")) || !std::holds_alternative<bool>(row[columns_.index_of("keep")]))
    refuse(lines_.path(), cursor_.number(), "a row without id, status, keep or reason");
  return true;
}

}  // namespace quasar::curation
