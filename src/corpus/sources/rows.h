// Owns what lists and tables have in common: their lines, and the item that a row stands for.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include "base/mapped_file.h"
#include "corpus/corpus_config.h"
#include "corpus/item.h"
#include "corpus/sources/source.h"

namespace quasar::corpus {

std::string_view text_of(const base::MappedFile& file);

/// Throws Error(kInput) that says what the file is, where its first bytes show that it is none of what lists
/// and tables are: a Git LFS pointer, a web page, a compressed or UTF-16 text, another format; a Parquet file
/// unless it may be one.
enum class MayBe { kText, kParquet };
void refuse_no_text(const std::filesystem::path& path, std::string_view content, MayBe expected);

/// The lines of a text with their numbers (from 1), CR LF and a byte order mark allowed; empty ones are
/// passed over.
class Lines {
 public:
  explicit Lines(std::string_view text);
  /// The next line; empty at the end.
  std::optional<std::string_view> next();
  /// Of the latest line.
  std::size_t number() const { return number_; }

 private:
  std::string_view text_;
  std::size_t number_ = 0;
};

/// Makes the item of a row from its cells. All throws Error(kInput) with file and line.
class RowReader {
 public:
  /// `source` and `counts` outlive it.
  RowReader(const SourceConfig& source, SourceCounts& counts);

  [[noreturn]] void fail(std::size_t line, const std::string& message) const;
  /// The item of that path, which stands for its id. One that is an address of the web is noted.
  Item item(std::string_view path, std::size_t line) const;
  void set_id(std::string_view id, std::size_t line, Item& item) const;
  /// Sets the typed members of the columns that the source names; `cell` gives a column's text. A label or
  /// deviation that is no number costs the row that alone, is counted, and warned of the first times.
  void set_columns(const std::function<std::string(const std::string& column)>& cell, std::size_t line,
                   Item& item);

 private:
  std::optional<double> number(std::string_view text, const char* what, std::size_t line);

  const SourceConfig& source_;
  SourceCounts& counts_;
  std::filesystem::path root_;
  int warnings_ = 0;
};

}  // namespace quasar::corpus
