#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/config_node.h"
#include "base/errors.h"
#include "base/mapped_file.h"
#include "base/nearest_word.h"
#include "corpus/csv_reader.h"
#include "corpus/path_text.h"
#include "corpus/source_listing.h"

namespace quasar::corpus {
namespace {

std::string_view text_of(const base::MappedFile& file) {
  const auto bytes = file.bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Takes the lines of a text with their numbers (from 1), CR LF and a byte order mark allowed.
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

/// Makes the item of a row from its cells.
class RowReader {
 public:
  explicit RowReader(const SourceConfig& source)
      : source_(source), root_(source.root.empty() ? source.path.parent_path() : source.root) {}

  [[noreturn]] void fail(std::size_t line, const std::string& message) const {
    base::fail(base::ExitCode::kInput, source_.path.string() + ":" + std::to_string(line) + ": " + message);
  }

  Item item(std::string_view path, std::size_t line) const {
    if (path.empty()) fail(line, "the path is empty");
    if (path.find('\0') != std::string_view::npos) fail(line, "a NUL byte in the path; this is no text");
    Item item;
    item.id = clean_text(path);
    // operator/ keeps an absolute path as it is.
    item.source = path_to_text((root_ / std::string(path)).lexically_normal());
    return item;
  }

  std::optional<double> label(std::string_view text, std::size_t line) const {
    try {
      return parse_label(text);
    } catch (const std::invalid_argument& error) {
      fail(line, error.what());
    }
  }

  void set_id(std::string_view id, std::size_t line, Item& item) const {
    if (id.empty()) fail(line, "the id (column \"" + source_.id_column + "\") is empty");
    item.id = clean_text(id);
  }

 private:
  const SourceConfig& source_;
  std::filesystem::path root_;
};

void list_csv(const SourceConfig& source, char separator, ItemSink& sink) {
  const base::MappedFile file(source.path);
  CsvReader table(text_of(file), source.path.string(), separator);
  const RowReader rows(source);
  const auto place = [&](const std::string& column) {
    return column.empty() ? std::optional<std::size_t>() : std::optional(table.column(column));
  };
  const std::size_t path = table.column(source.path_column);
  const auto id = place(source.id_column);
  const auto label = place(source.label_column);
  const auto group = place(source.group_column);
  std::vector<std::size_t> fields;
  for (const auto& field : source.fields) fields.push_back(table.column(field));
  while (auto record = table.next()) {
    auto& cells = record->fields;
    Item item = rows.item(cells[path], record->line);
    if (id) rows.set_id(cells[*id], record->line, item);
    if (label) item.label = rows.label(cells[*label], record->line);
    if (group) item.group = clean_text(cells[*group]);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      item.fields.emplace_back(source.fields[i], clean_text(cells[fields[i]]));
    }
    sink.add(std::move(item));
  }
}

void list_json_lines(const SourceConfig& source, ItemSink& sink) {
  const base::MappedFile file(source.path);
  const RowReader rows(source);
  for_each_line(text_of(file), [&](std::string_view text, std::size_t line) {
    if (text.find_first_not_of(" \t") == std::string_view::npos) return;
    nlohmann::json row;
    try {
      row = nlohmann::json::parse(text);
    } catch (const nlohmann::json::exception& error) {
      rows.fail(line, std::string("not well-formed JSON: ") + error.what());
    }
    if (!row.is_object()) rows.fail(line, "every line must be a JSON object, such as {\"path\": \"a.jpg\"}");
    // Text of a value; empty for null.
    const auto cell = [&](const std::string& key) -> std::string {
      const auto found = row.find(key);
      if (found == row.end()) {
        std::vector<std::string> keys;
        for (const auto& [name, value] : row.items()) keys.push_back(name);
        const auto near = base::nearest_word(key, keys);
        rows.fail(line,
                  "there is no key \"" + key + "\"" + (near ? "; did you mean \"" + *near + "\"?" : ""));
      }
      if (found->is_null()) return "";
      return found->is_string() ? found->get<std::string>() : found->dump();
    };
    const auto path = row.find(source.path_column);
    if (path != row.end() && !path->is_string()) {
      rows.fail(line, "the value of \"" + source.path_column + "\" is no text, so it is no path");
    }
    Item item = rows.item(cell(source.path_column), line);
    if (!source.id_column.empty()) rows.set_id(cell(source.id_column), line, item);
    if (!source.label_column.empty()) item.label = rows.label(cell(source.label_column), line);
    if (!source.group_column.empty()) item.group = clean_text(cell(source.group_column));
    for (const auto& field : source.fields) item.fields.emplace_back(field, clean_text(cell(field)));
    sink.add(std::move(item));
  });
}

}  // namespace

void list_list(const SourceConfig& source, ItemSink& sink) {
  const base::MappedFile file(source.path);
  const RowReader rows(source);
  for_each_line(text_of(file),
                [&](std::string_view text, std::size_t line) { sink.add(rows.item(text, line)); });
}

void list_table(const SourceConfig& source, ItemSink& sink) {
  const std::string& name = source.path.native();
  if (has_suffix(name, {".csv"})) return list_csv(source, ',', sink);
  if (has_suffix(name, {".tsv", ".tab"})) return list_csv(source, '\t', sink);
  if (has_suffix(name, {".jsonl", ".ndjson"})) return list_json_lines(source, sink);
  base::fail(base::ExitCode::kInput, "the table " + name +
                                         " has none of the suffixes that tell how to read it: .csv, .tsv, "
                                         ".jsonl (a plain list of paths is a \"list\")");
}

}  // namespace quasar::corpus
