#include "corpus/sources/table.h"

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/errors.h"
#include "base/nearest_word.h"
#include "corpus/sources/csv_reader.h"
#include "corpus/sources/rows.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

void list_csv(const SourceConfig& source, char separator, ItemSink& sink) {
  const base::MappedFile file(source.path);
  CsvReader table(text_of(file), source.path.string(), separator);
  const RowReader rows(source);
  const std::size_t path = table.column(source.path_column);
  std::map<std::string, std::size_t> places;
  const auto find = [&](const std::string& column) {
    if (!column.empty()) places.emplace(column, table.column(column));
  };
  for (const auto* column : {&source.id_column, &source.label_column, &source.deviation_column,
                             &source.group_column, &source.split_column})
    find(*column);
  for (const auto& field : source.fields) find(field);
  while (auto record = table.next()) {
    auto& cells = record->fields;
    Item item = rows.item(cells[path], record->line);
    rows.set_columns([&](const std::string& column) { return cells[places.at(column)]; }, record->line, item);
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
    rows.set_columns(cell, line, item);
    sink.add(std::move(item));
  });
}

class Table final : public Source {
 public:
  explicit Table(SourceConfig source) : source_(std::move(source)) {}

  std::string list(ItemSink& sink, LeftOut&) const override {
    list_rows(sink);
    return state();
  }
  std::string state() const override { return file_state(source_.path); }
  std::string describe_change(const std::string& before, const std::string& now) const override {
    return describe_file_change(before, now);
  }

 private:
  void list_rows(ItemSink& sink) const {
    const std::string& name = source_.path.native();
    if (has_suffix(name, {".csv"})) return list_csv(source_, ',', sink);
    if (has_suffix(name, {".tsv", ".tab"})) return list_csv(source_, '\t', sink);
    if (has_suffix(name, {".jsonl", ".ndjson"})) return list_json_lines(source_, sink);
    base::fail(base::ExitCode::kInput, "the table " + name +
                                           " has none of the suffixes that tell how to read it: .csv, .tsv, "
                                           ".jsonl (a plain list of paths is a \"list\")");
  }

  SourceConfig source_;
};

void read(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
          SourceConfig& source) {
  source.path = source_path(place, PathKind::kFile, presence);
  read_root(node, presence, source);
  source.path_column = node.get<std::string>("path_column", source.path_column);
  source.id_column = node.get<std::string>("id_column", "");
  read_columns(node, source);
}

}  // namespace

SourceType table_type() {
  return {
      SourceKind::kTable, "table", read,
      [](const SourceConfig& source) {
        return SourceText(source, "table").path().name().path_column().columns().root().fields().text();
      },
      [](const SourceConfig& source) -> std::unique_ptr<Source> { return std::make_unique<Table>(source); }};
}

}  // namespace quasar::corpus
