#include "exports/tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/errors.h"
#include "curation/balance_rule.h"
#include "exports/file_io.h"

namespace quasar::exports {
namespace {

constexpr std::size_t kBufferedRows = std::size_t{4} << 20U;

using Names = std::vector<std::pair<std::string, std::string>>;

/// Case does not tell columns apart in DuckDB, nor in what reads Parquet by it.
std::string folded(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) {
    return c < 0x80U ? static_cast<char>(std::tolower(c)) : static_cast<char>(c);
  });
  return name;
}

/// Adds a column for each named field; the fields and the names of their columns.
Names add_fields(const corpus::CorpusConfig& corpus, Table::Columns& columns, bool before) {
  std::set<std::string> taken;
  for (const auto& [name, type] : columns) taken.insert(folded(name));
  Names fields;
  Table::Columns added;
  for (const auto& field : named_fields(corpus)) {
    std::string name = taken.contains(folded(field)) ? "fields." + field : field;
    while (!taken.insert(folded(name)).second) name += "_";
    added.emplace_back(name, "VARCHAR");
    fields.emplace_back(field, name);
  }
  columns.insert(before ? columns.begin() : columns.end(), added.begin(), added.end());
  return fields;
}

void copy_fields(const ManifestLine& line, const Names& names, nlohmann::ordered_json& row) {
  const auto fields = line.columns.find("fields");
  if (fields == line.columns.end() || !fields->is_object()) return;
  for (const auto& [field, column] : names) {
    const auto value = fields->find(field);
    if (value != fields->end()) row[column] = *value;
  }
}

std::string type_of(const std::string& name, const nlohmann::ordered_json& value) {
  static const std::set<std::string, std::less<>> counts = {"rank",   "offset", "bytes",      "width",
                                                            "height", "row",    "group_size", "distance"};
  if (counts.contains(name) || curation::is_cluster_column(name)) return "BIGINT";
  if (name == "fields") return "MAP(VARCHAR, VARCHAR)";
  if (name == "label" || name == "percentile") return "DOUBLE";
  if (value.is_string() || name == "duplicate_of" || name == "format") return "VARCHAR";
  if (value.is_boolean()) return "BOOLEAN";
  return "FLOAT";
}

/// `renamed`: columns that are called otherwise in the table, with their names there.
Table::Columns manifest_columns(const Manifest& manifest, const corpus::CorpusConfig& corpus, Names& renamed,
                                Names& fields) {
  Table::Columns columns;
  std::set<std::string> taken;
  const auto first = manifest.first_row();
  for (const auto& [column, value] : first.items()) {
    std::string name = column;
    while (!taken.insert(folded(name)).second) name += "_";
    if (name != column) renamed.emplace_back(column, name);
    columns.emplace_back(name, type_of(column, value));
  }
  fields = add_fields(corpus, columns, false);
  return columns;
}

Table::Columns sample_columns(const corpus::CorpusConfig& corpus, Names& fields) {
  Table::Columns columns = {{"key", "VARCHAR"},
                            {"status", "VARCHAR"},
                            {"error_message", "VARCHAR"},
                            {"width", "INTEGER"},
                            {"height", "INTEGER"},
                            {"original_width", "INTEGER"},
                            {"original_height", "INTEGER"},
                            {"exif", "VARCHAR"},
                            {"sha256", "VARCHAR"}};
  fields = add_fields(corpus, columns, true);
  return columns;
}

}  // namespace

void TableRows::add(const nlohmann::ordered_json& row) {
  buffer_ += row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  buffer_ += '\n';
  if (buffer_.size() > kBufferedRows) flush();
}

void TableRows::flush() {
  write_at(file_.file(), file_.path(), size_, buffer_);
  size_ += buffer_.size();
  buffer_.clear();
  base::note_activity();
}

const std::filesystem::path& TableRows::finish() {
  flush();
  file_.close();
  return file_.temporary();
}

void Table::write(TableRows& rows, const std::filesystem::path& path) const {
  std::string columns;
  for (const auto& [name, type] : columns_)
    columns +=
        fmt::format("{}{}: {}", columns.empty() ? "" : ", ", duckdb::quoted(name), duckdb::quoted(type));
  TemporaryFile file(path);
  file.close();
  // A temporary file of DuckDB's own would stay behind a killed job, as Parquet that nobody can read.
  const auto sql = fmt::format(
      "COPY (SELECT * FROM read_json({}, format = 'newline_delimited', columns = {{{}}}, maximum_object_size "
      "= "
      "1073741824)) TO {} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)",
      duckdb::quoted(rows.finish().string()), columns, duckdb::quoted(file.temporary().string()));
  try {
    auto result = database_.query(sql);
    while (result.next()) base::note_activity();
  } catch (const base::Error& error) {
    base::fail(base::ExitCode::kOutput, "cannot write " + path.string() + ": " + error.what());
  }
  file.publish();
}

std::vector<std::string> named_fields(const corpus::CorpusConfig& corpus) {
  std::vector<std::string> names;
  for (const auto& source : corpus.sources) {
    for (const auto& field : source.fields) {
      if (std::find(names.begin(), names.end(), field) == names.end()) names.push_back(field);
    }
  }
  return names;
}

ManifestTable::ManifestTable(const Manifest& manifest, const corpus::CorpusConfig& corpus)
    : table_(manifest_columns(manifest, corpus, renamed_, fields_)) {}

nlohmann::ordered_json ManifestTable::row_of(const ManifestLine& line) const {
  auto row = line.columns;
  for (const auto& [column, name] : renamed_) {
    if (const auto value = row.find(column); value != row.end()) {
      row[name] = nlohmann::ordered_json(*value);
      row.erase(column);
    }
  }
  copy_fields(line, fields_, row);
  return row;
}

SampleTable::SampleTable(const corpus::CorpusConfig& corpus) : table_(sample_columns(corpus, fields_)) {}

nlohmann::ordered_json SampleTable::fields_of(const ManifestLine& line) const {
  auto row = nlohmann::ordered_json::object();
  copy_fields(line, fields_, row);
  return row;
}

}  // namespace quasar::exports
