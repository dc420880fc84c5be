#include "corpus/sources/rows.h"

#include <algorithm>
#include <stdexcept>

#include "base/errors.h"
#include "corpus/path_text.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {

std::string_view text_of(const base::MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

void for_each_line(std::string_view text, const std::function<void(std::string_view, std::size_t)>& take) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view content = text.substr(0, end);
    if (!content.empty() && content.back() == '\r') content.remove_suffix(1);
    if (!content.empty()) take(content, line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

RowReader::RowReader(const SourceConfig& source)
    : source_(source), root_(source.root.empty() ? source.path.parent_path() : source.root) {}

void RowReader::fail(std::size_t line, const std::string& message) const {
  base::fail(base::ExitCode::kInput, source_.path.string() + ":" + std::to_string(line) + ": " + message);
}

Item RowReader::item(std::string_view path, std::size_t line) const {
  if (path.empty()) fail(line, "the path is empty");
  if (path.find('\0') != std::string_view::npos) fail(line, "a NUL byte in the path; this is no text");
  Item item;
  item.id = escaped_text(path);
  // operator/ keeps an absolute path as it is.
  item.source = path_to_text((root_ / std::string(path)).lexically_normal());
  return item;
}

void RowReader::set_id(std::string_view id, std::size_t line, Item& item) const {
  if (id.empty()) fail(line, "the id (column \"" + source_.id_column + "\") is empty");
  item.id = escaped_text(id);
}

std::optional<double> RowReader::number(std::string_view text, const char* what, std::size_t line) const {
  try {
    return parse_number(text, what);
  } catch (const std::invalid_argument& error) {
    fail(line, error.what());
  }
}

void RowReader::set_columns(const std::function<std::string(const std::string& column)>& cell,
                            std::size_t line, Item& item) const {
  if (!source_.id_column.empty()) set_id(cell(source_.id_column), line, item);
  if (!source_.label_column.empty()) item.label = number(cell(source_.label_column), "label", line);
  if (!source_.deviation_column.empty())
    item.deviation = number(cell(source_.deviation_column), "deviation", line);
  if (!source_.group_column.empty()) item.reference = escaped_text(cell(source_.group_column));
  if (!source_.split_column.empty()) item.split = escaped_text(cell(source_.split_column));
  for (const auto& field : source_.fields) item.fields.emplace_back(field, escaped_text(cell(field)));
}

}  // namespace quasar::corpus
