// Owns reading of comma- and tab-separated tables as data engineers ship them: RFC 4180 quoting, LF or CRLF,
// an optional byte order mark, and errors that name the line. With tabs, a quote that does not begin its
// field is a character like others.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quasar::corpus {

/// One record and the line it starts on (1-based).
struct CsvRecord {
  std::vector<std::string> fields;
  std::size_t line = 0;
};

/// The separator of a table whose header holds `column`: `usual`, or the one of comma, tab, semicolon and bar
/// by which that column is there; `usual` where it is by none.
char recognised_separator(std::string_view text, char usual, std::string_view column);

/// Reads the records of a table in memory. The first record is the header; every other must have as many
/// fields.
class CsvReader {
 public:
  /// `text` outlives the reader; `name` stands for the file in messages. Throws Error(kInput) for an empty
  /// table, an empty or repeated column name, or a header that is not well-formed.
  CsvReader(std::string_view text, std::string name, char separator = ',');

  const std::vector<std::string>& columns() const { return columns_; }
  /// Place of a column. Throws Error(kInput) naming the columns there are, and the nearest.
  std::size_t column(std::string_view name) const;

  /// The next record; empty at the end. Blank lines are passed over. Throws Error(kInput) "NAME:LINE: ..."
  /// for an unclosed quote, text after a closing quote, a quote inside an unquoted field (with another
  /// separator than the tab), a NUL byte, or a record with another number of fields than the header.
  std::optional<CsvRecord> next();

 private:
  std::optional<CsvRecord> read_record();
  std::string read_quoted();
  [[noreturn]] void fail(std::size_t line, const std::string& message) const;

  std::string_view text_;
  std::string name_;
  char separator_;
  std::size_t position_ = 0;
  std::size_t line_ = 1;
  std::vector<std::string> columns_;
};

}  // namespace quasar::corpus
