#include "corpus/sources/table.h"

#include <utility>

#include "corpus/sources/repeated_rows.h"
#include "corpus/sources/rows.h"
#include "corpus/sources/source_text.h"
#include "corpus/sources/table_rows.h"

namespace quasar::corpus {
namespace {

class Table final : public Source {
 public:
  explicit Table(SourceConfig source) : source_(std::move(source)) {}

  std::string list(ItemSink& sink, SourceCounts& counts) const override {
    const IdCounts ids = count_ids();
    std::vector<std::string> columns = id_columns();
    for (const auto* column :
         {&source_.label_column, &source_.deviation_column, &source_.group_column, &source_.split_column})
      if (!column->empty()) columns.push_back(*column);
    columns.insert(columns.end(), source_.fields.begin(), source_.fields.end());
    const auto rows = open_table(source_, columns, counts);
    RowReader reader(source_, counts);
    RepeatedRows repeated(source_.repeated, ids, sink, counts);
    const auto cell = [&](const std::string& column) { return rows->cell(column); };
    while (rows->next()) {
      Item item = reader.item(cell(source_.path_column), rows->line());
      reader.set_columns(cell, rows->line(), item);
      repeated.add(std::move(item));
    }
    repeated.finish();
    return state();
  }
  std::string state() const override { return file_state(source_.path); }
  std::string describe_change(const std::string& before, const std::string& now) const override {
    return describe_file_change(before, now);
  }

 private:
  std::vector<std::string> id_columns() const {
    std::vector<std::string> columns = {source_.path_column};
    if (!source_.id_column.empty()) columns.push_back(source_.id_column);
    return columns;
  }

  IdCounts count_ids() const {
    SourceCounts dropped;
    const RowReader reader(source_, dropped);
    const auto rows = open_table(source_, id_columns(), dropped);
    IdCounts ids;
    while (rows->next()) {
      Item item = reader.item(rows->cell(source_.path_column), rows->line());
      if (!source_.id_column.empty()) reader.set_id(rows->cell(source_.id_column), rows->line(), item);
      ids.add(item.id);
    }
    ids.finish();
    return ids;
  }

  SourceConfig source_;
};

void read_separator(const base::ConfigNode& node, SourceConfig& source) {
  if (!node.has("separator")) return;
  const auto text = node.child("separator").as<std::string>();
  if (text == "tab" || text == "\\t") {
    source.separator = '\t';
  } else if (text.size() == 1 && text != "\"" && text != "\n" && text != "\r") {
    source.separator = text[0];
  } else {
    node.child("separator").fail("a separator is one character, such as \",\" or \";\", or tab");
  }
  if (has_suffix(source.path.native(), {".jsonl", ".ndjson", ".parquet"}))
    node.child("separator").fail(source.path.filename().string() + " is no CSV table, which alone has one");
}

void read_table(const base::ConfigNode& node, const base::ConfigNode& place, SourcePresence presence,
                SourceConfig& source) {
  source.path = source_path(place, PathKind::kFile, presence);
  read_root(node, presence, source);
  source.path_column = node.get<std::string>("path_column", source.path_column);
  source.id_column = node.get<std::string>("id_column", "");
  read_separator(node, source);
  source.repeated = node.get_enum<Repeated>(
      "repeated", source.repeated,
      {{"join", Repeated::kJoin}, {"first", Repeated::kFirst}, {"rows", Repeated::kRows}});
  read_columns(node, source);
}

std::string describe_table(const SourceConfig& source) {
  return SourceText(source, "table")
      .path()
      .name()
      .path_column()
      .columns()
      .root()
      .fields()
      .separator()
      .repeated()
      .text();
}

}  // namespace

SourceType table_type() {
  return {
      SourceKind::kTable, "table", read_table, describe_table,
      [](const SourceConfig& source) -> std::unique_ptr<Source> { return std::make_unique<Table>(source); }};
}

}  // namespace quasar::corpus
