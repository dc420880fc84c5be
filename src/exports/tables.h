// Internal to the module: tables as Parquet files, through DuckDB's C library.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "corpus/corpus_config.h"
#include "duckdb/database.h"
#include "exports/kept_rows.h"
#include "exports/temporary_file.h"

namespace quasar::exports {

/// Rows on their way into a table, as JSON lines in a file that goes away with the object.
class TableRows {
 public:
  explicit TableRows(const std::filesystem::path& path) : file_(path) {}
  void add(const nlohmann::ordered_json& row);
  /// Ends the writing; the name of the file.
  const std::filesystem::path& finish();

 private:
  void flush();

  TemporaryFile file_;
  std::string buffer_;
  std::uint64_t size_ = 0;
};

/// A kind of table: its columns, each a name and a type of DuckDB's. Construction throws as
/// duckdb::load_library().
class Table {
 public:
  using Columns = std::vector<std::pair<std::string, std::string>>;
  explicit Table(Columns columns) : columns_(std::move(columns)) {}

  /// Writes the rows as a Parquet file, whole. What a row lacks is null. Throws Error(kOutput).
  void write(TableRows& rows, const std::filesystem::path& path) const;
  const Columns& columns() const { return columns_; }

 private:
  Columns columns_;
  duckdb::Database database_;
};

/// The fields that the corpus's configuration names, once each, in its order.
std::vector<std::string> named_fields(const corpus::CorpusConfig& corpus);

/// The manifest's columns, then the named fields, each as a column of its own ("fields.NAME" where the
/// manifest has a column of that name).
class ManifestTable {
 public:
  ManifestTable(const Manifest& manifest, const corpus::CorpusConfig& corpus);
  nlohmann::ordered_json row_of(const ManifestLine& line) const;
  void write(TableRows& rows, const std::filesystem::path& path) const { table_.write(rows, path); }

 private:
  std::vector<std::pair<std::string, std::string>> renamed_;  ///< Columns of the manifest, likewise.
  std::vector<std::pair<std::string, std::string>> fields_;   ///< Each with the name of its column.
  Table table_;
};

/// img2dataset's: the named fields, then key, status, error_message, width, height, original_width,
/// original_height, exif, sha256.
class SampleTable {
 public:
  explicit SampleTable(const corpus::CorpusConfig& corpus);
  /// The fields of a row by the names of their columns.
  nlohmann::ordered_json fields_of(const ManifestLine& line) const;
  void write(TableRows& rows, const std::filesystem::path& path) const { table_.write(rows, path); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
  Table table_;
};

}  // namespace quasar::exports
