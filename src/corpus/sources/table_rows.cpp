#include "corpus/sources/table_rows.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/errors.h"
#include "base/mapped_file.h"
#include "base/nearest_word.h"
#include "corpus/sources/csv_reader.h"
#include "corpus/sources/lenient_json.h"
#include "corpus/sources/parquet_rows.h"
#include "corpus/sources/rows.h"
#include "corpus/sources/source_text.h"

namespace quasar::corpus {
namespace {

class CsvRows final : public TableRows {
 public:
  CsvRows(const SourceConfig& source, char usual_separator, const std::vector<std::string>& columns)
      : file_(source.path),
        reader_(text_of(file_), source.path.string(),
                source.separator != '\0'
                    ? source.separator
                    : recognised_separator(text_of(file_), usual_separator, source.path_column)) {
    for (const auto& column : columns) places_.emplace(column, reader_.column(column));
  }

  bool next() override {
    record_ = reader_.next();
    return record_.has_value();
  }
  std::size_t line() const override { return record_->line; }
  std::string cell(const std::string& column) const override { return record_->fields[places_.at(column)]; }

 private:
  base::MappedFile file_;
  CsvReader reader_;
  std::map<std::string, std::size_t> places_;
  std::optional<CsvRecord> record_;
};

class JsonLineRows final : public TableRows {
 public:
  JsonLineRows(const SourceConfig& source, const std::vector<std::string>& columns, SourceCounts& counts)
      : source_(source),
        counts_(counts),
        file_(source.path),
        lines_(text_of(file_)),
        unseen_(columns.begin(), columns.end()) {}

  bool next() override {
    while (const auto text = lines_.next()) {
      if (text->find_first_not_of(" \t") == std::string_view::npos) continue;
      try {
        row_ = parse_lenient_json(*text, counts_);
      } catch (const nlohmann::json::exception& error) {
        fail(std::string("not well-formed JSON: ") + error.what());
      }
      if (!row_.is_object()) fail("every line must be a JSON object, such as {\"path\": \"a.jpg\"}");
      std::erase_if(unseen_, [&](const std::string& column) { return row_.contains(column); });
      return true;
    }
    // A key may be missing where there is no value; one that all lines lack is a mistake.
    if (row_.is_object() && !unseen_.empty()) fail_without(unseen_.front());
    return false;
  }
  std::size_t line() const override { return lines_.number(); }
  std::string cell(const std::string& column) const override {
    const auto found = row_.find(column);
    if (found == row_.end()) {
      if (column == source_.path_column || column == source_.id_column) fail_without(column);
      return "";
    }
    if (column == source_.path_column && !found->is_string())
      fail("the value of \"" + column + "\" is no text, so it is no path");
    return json_text(*found);
  }

 private:
  [[noreturn]] void fail_without(const std::string& column) const {
    std::vector<std::string> keys;
    for (const auto& [name, value] : row_.items()) keys.push_back(name);
    fail("there is no key \"" + column + "\"" + base::did_you_mean(column, keys));
  }
  [[noreturn]] void fail(const std::string& message) const {
    base::fail(base::ExitCode::kInput,
               source_.path.string() + ":" + std::to_string(lines_.number()) + ": " + message);
  }

  const SourceConfig& source_;
  SourceCounts& counts_;
  base::MappedFile file_;
  Lines lines_;
  nlohmann::json row_;
  std::vector<std::string> unseen_;  ///< Columns that no line had so far.
};

}  // namespace

std::unique_ptr<TableRows> open_table(const SourceConfig& source, const std::vector<std::string>& columns,
                                      SourceCounts& counts) {
  const std::string& name = source.path.native();
  const bool tabs = has_suffix(name, {".tsv", ".tab"});
  if (tabs || has_suffix(name, {".csv"}))
    return std::make_unique<CsvRows>(source, tabs ? '\t' : ',', columns);
  if (has_suffix(name, {".jsonl", ".ndjson"})) return std::make_unique<JsonLineRows>(source, columns, counts);
  if (has_suffix(name, {".parquet"})) return open_parquet(source, columns, counts);
  if (source.separator != '\0') return std::make_unique<CsvRows>(source, ',', columns);
  base::fail(base::ExitCode::kInput,
             "the table " + name +
                 " has none of the suffixes that tell how to read it: .csv, .tsv, .jsonl, .parquet; "
                 "\"separator\" makes it a CSV (a plain list of paths is a \"list\")");
}

}  // namespace quasar::corpus
