// Owns reading of comma- and tab-separated tables as data engineers ship them: RFC 4180 quoting, LF or CRLF,
// an optional byte order mark, and errors that name the line. With tabs, a quote is a character like others
// unless it begins its field and another ends it.
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
/// fields. Columns may lack a name, as pandas's index does, or share one, as long as nobody asks for them.
class CsvReader {
 public:
  /// `text` outlives the reader; `name` stands for the file in messages. Throws Error(kInput) for an empty
  /// table, or a header that is not well-formed.
  CsvReader(std::string_view text, std::string name, char separator = ',');

  const std::vector<std::string>& columns() const { return columns_; }
  /// Place of a column. Throws Error(kInput) for a name that several have, or none: naming the columns there
  /// are, and the nearest.
  std::size_t column(std::string_view name) const;

  /// The next record; empty at the end. Blank lines are passed over. Throws Error(kInput) "NAME:LINE: ..."
  /// for a NUL byte, a record with another number of fields than the header, and with another separator than
  /// the tab for an unclosed quote, text after a closing quote, or a quote inside an unquoted field.
  std::optional<CsvRecord> next();

 private:
  std::optional<CsvRecord> read_record();
  std::string read_quoted();
  /// Of a field in a table with tabs that begins with a quote: whether another ends it, on its line, or on a
  /// later one with no tab between them.
  bool is_quoted_whole() const;
  [[noreturn]] void fail(std::size_t line, const std::string& message) const;

  std::string_view text_;
  std::string name_;
  char separator_;
  std::size_t position_ = 0;
  std::size_t line_ = 1;
  std::vector<std::string> columns_;
};

}  // namespace quasar::corpus
