// Owns pages of HTML: one file that needs nothing from elsewhere and runs nothing, readable on a small screen
// and in the dark. Every text is escaped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quasar::plot {

enum class ColumnKind {
  kText,    ///< On one line.
  kNumber,  ///< To the right.
  kLong,    ///< Breaks where it must: paths, sentences.
};

struct TableColumn {
  std::string heading;
  ColumnKind kind = ColumnKind::kText;
};

struct Table {
  std::vector<TableColumn> columns;
  std::vector<std::vector<std::string>> rows;
};

/// A table whose rows end in a bar: how much of the whole is left, and how much more there was.
struct BarTable {
  struct Row {
    std::string name;
    std::string first, second;  ///< Numbers, as text.
    std::uint64_t full = 0;     ///< Length of the bar, of `whole`.
    std::uint64_t pale = 0;     ///< Of what follows it.
  };
  std::string name;                  ///< What screen readers call it.
  std::vector<std::string> columns;  ///< [3] Headings.
  std::uint64_t whole = 0;
  std::vector<Row> rows;
};

/// A picture in the page itself.
struct Thumbnail {
  std::string media_type;  ///< "image/png", ...
  std::string bytes;       ///< Of the file; empty: there is none, and `missing` says why.
  std::string missing;
  std::string name;                  ///< Stands below it, and is what screen readers say.
  std::vector<std::string> remarks;  ///< Lines below the name.
};

class Page {
 public:
  /// `title`: of the window; `heading`: stands at the top.
  Page(std::string_view title, std::string_view heading);

  /// `level` 2..6.
  void heading(int level, std::string_view text);
  void paragraph(std::string_view text);
  /// Scrolls by itself where it is wider than the screen. Without headings when every heading is empty.
  void table(const Table& table);
  /// Two columns without headings: names, and numbers with thousands apart.
  void counts(const std::vector<std::pair<std::string, std::uint64_t>>& counts);
  void bars(const BarTable& table);
  /// A figure of this module (figure.h).
  void figure(std::string_view svg);
  /// Figures side by side where there is room.
  void figures(const std::vector<std::string>& svgs);
  void thumbnails(const std::vector<Thumbnail>& pictures);

  std::string finish() &&;

 private:
  std::string text_;
};

}  // namespace quasar::plot
