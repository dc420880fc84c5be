#include "corpus/sources/table_rows.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>
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
      : source_(source), counts_(counts), file_(source.path), lines_(text_of(file_)) {
    for (const auto& column : columns)
      if (column != source.path_column && column != source.id_column) optional_.insert(column);
    unseen_ = optional_;
  }

  bool next() override {
    while (const auto text = lines_.next()) {
      if (text->find_first_not_of(" \t") == std::string_view::npos) continue;
      try {
        row_ = parse_lenient_json(*text, counts_);
      } catch (const nlohmann::json::exception& error) {
        fail(std::string("not well-formed JSON: ") + error.what());
      }
      if (!row_.is_object()) fail("every line must be a JSON object, such as {\"path\": \"a.jpg\"}");
      look_for_columns();
      return true;
    }
    if (!unseen_.empty() && !row_.is_null())
      base::fail(base::ExitCode::kInput, source_.path.string() + ": no row has the key \"" +
                                             *unseen_.begin() + "\"" +
                                             base::did_you_mean(*unseen_.begin(), keys_));
    return false;
  }
  std::size_t line() const override { return lines_.number(); }
  std::string cell(const std::string& column) const override {
    const auto found = row_.find(column);
    if (found == row_.end()) {
      if (optional_.contains(column)) return "";
      std::vector<std::string> keys;
      for (const auto& [name, value] : row_.items()) keys.push_back(name);
      fail("there is no key \"" + column + "\"" + base::did_you_mean(column, keys));
    }
    if (column == source_.path_column && !found->is_string())
      fail("the value of \"" + column + "\" is no text, so it is no path");
    return json_text(*found);
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    base::fail(base::ExitCode::kInput,
               source_.path.string() + ":" + std::to_string(lines_.number()) + ": " + message);
  }

  /// Writers leave keys without a value out: a row may lack what others have, and a key that none has is a
  /// mistake.
  void look_for_columns() {
    for (const auto& column : optional_) {
      if (!row_.contains(column)) {
        ++counts_.noted["keys that rows of a JSON table lack"];
      } else {
        unseen_.erase(column);
      }
    }
    if (unseen_.empty() || !keys_.empty()) return;
    for (const auto& [name, value] : row_.items()) keys_.push_back(name);
  }

  const SourceConfig& source_;
  SourceCounts& counts_;
  std::set<std::string> optional_;  // Columns that a row may lack.
  std::set<std::string> unseen_;    // Of them, those that no row had yet.
  std::vector<std::string> keys_;   // Of the first row, where it lacks any.
  base::MappedFile file_;
  Lines lines_;
  nlohmann::json row_;
};

}  // namespace

std::unique_ptr<TableRows> open_table(const SourceConfig& source, const std::vector<std::string>& columns,
                                      SourceCounts& counts) {
  const std::string& name = source.path.native();
  {
    const base::MappedFile file(source.path);
    refuse_no_text(source.path, text_of(file),
                   has_suffix(name, {".parquet"}) ? MayBe::kParquet : MayBe::kText);
  }
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
