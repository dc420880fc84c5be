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

namespace quasar::corpus {

std::string_view text_of(const base::MappedFile& file);

/// Takes the lines of a text with their numbers (from 1), CR LF and a byte order mark allowed; empty ones are
/// passed over.
void for_each_line(std::string_view text, const std::function<void(std::string_view, std::size_t)>& take);

/// Makes the item of a row from its cells. All throws Error(kInput) with file and line.
class RowReader {
 public:
  /// `source` outlives it.
  explicit RowReader(const SourceConfig& source);

  [[noreturn]] void fail(std::size_t line, const std::string& message) const;
  /// The item of that path, which stands for its id.
  Item item(std::string_view path, std::size_t line) const;
  void set_id(std::string_view id, std::size_t line, Item& item) const;
  /// Sets the typed members of the columns that the source names; `cell` gives a column's text.
  void set_columns(const std::function<std::string(const std::string& column)>& cell, std::size_t line,
                   Item& item) const;

 private:
  std::optional<double> number(std::string_view text, const char* what, std::size_t line) const;

  const SourceConfig& source_;
  std::filesystem::path root_;
};

}  // namespace quasar::corpus
