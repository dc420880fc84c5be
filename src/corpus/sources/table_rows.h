// Owns the rows of tables of every kind: CSV and TSV, JSON lines, Parquet.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "corpus/corpus_config.h"
#include "corpus/sources/source.h"

namespace quasar::corpus {

/// Goes through the rows of a table in their order. All throws Error(kInput) with file and line or row.
class TableRows {
 public:
  virtual ~TableRows() = default;
  TableRows(const TableRows&) = delete;
  TableRows& operator=(const TableRows&) = delete;

  /// Goes to the next row; false at the end.
  virtual bool next() = 0;
  /// Line of the row in a text, or its number in another file, from 1.
  virtual std::size_t line() const = 0;
  /// Text of the row under a column; empty where there is no value. Numbers as they are written, or the
  /// shortest text that gives them again.
  virtual std::string cell(const std::string& column) const = 0;

 protected:
  TableRows() = default;
};

/// Opens the table of a source, by its suffix or its separator. Only `columns` are asked for. What values
/// lose by themselves is counted in `counts`, which outlives the rows.
std::unique_ptr<TableRows> open_table(const SourceConfig& source, const std::vector<std::string>& columns,
                                      SourceCounts& counts);

}  // namespace quasar::corpus
