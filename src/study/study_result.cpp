#include "study/study_result.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/csv_cell.h"

namespace quasar::study {
namespace {

using base::csv_number;
using base::csv_text;

std::string latex_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\textbackslash{}";
    } else if (c == '~' || c == '^') {
      result += std::string("\\") + c + "{}";
    } else {
      if (std::string_view("&%$#_{}").find(c) != std::string_view::npos) result += '\\';
      result += c;
    }
  }
  return result;
}

std::string markdown_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '|' || c == '\\') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

/// Best defined value of a column, which is set in bold; nothing for a single row.
const CellSummary* best_of(const StudyTable& table, std::size_t column) {
  const CellSummary* best = nullptr;
  if (table.rows.size() < 2) return best;
  for (const auto& row : table.cells) {
    const auto* const cell = row[column];
    if (cell != nullptr && std::isfinite(cell->srcc) && (best == nullptr || cell->srcc > best->srcc))
      best = cell;
  }
  return best;
}

}  // namespace

CellSummary summarised(std::size_t place, std::vector<CellResult> draws, double pictures_per_second) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  CellSummary summary{place, std::move(draws), none, none, none, none, pictures_per_second};
  double sum = 0;
  double count = 0;
  for (const auto& draw : summary.draws) {
    if (!std::isfinite(draw.srcc)) continue;
    sum += draw.srcc;
    ++count;
  }
  if (count == 0) return summary;
  summary.srcc = sum / count;
  if (count > 1) {
    double square = 0;
    for (const auto& draw : summary.draws)
      if (std::isfinite(draw.srcc)) square += (draw.srcc - summary.srcc) * (draw.srcc - summary.srcc);
    summary.error = std::sqrt(square / (count - 1) / count);
    summary.low = summary.srcc - summary.error;
    summary.high = summary.srcc + summary.error;
  } else if (summary.draws.size() == 1) {
    summary.low = summary.draws.front().srcc_low;
    summary.high = summary.draws.front().srcc_high;
  }
  return summary;
}

std::string study_csv(const StudyConfig& config, const std::vector<CellSummary>& cells) {
  std::string text;
  for (const auto& axis : config.axes) text += csv_text(axis.name) + ",";
  text +=
      "draw,n,srcc,srcc_low,srcc_high,krcc,plcc,rows,unscored,unlabelled,good,bad,undefined,pictures_per_"
      "second,"
      "seconds\n";
  for (const auto& cell : cells) {
    const auto& levels = config.cells[cell.place].levels;
    for (std::size_t draw = 0; draw < cell.draws.size(); ++draw) {
      const auto& result = cell.draws[draw];
      for (std::size_t axis = 0; axis < levels.size(); ++axis)
        text += csv_text(config.axes[axis].levels[levels[axis]]) + ",";
      text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{:.6f}\n", draw, result.n,
                          csv_number(result.srcc), csv_number(result.srcc_low), csv_number(result.srcc_high),
                          csv_number(result.krcc), csv_number(result.plcc), result.rows, result.unscored,
                          result.unlabelled, result.good, result.bad, csv_text(result.undefined),
                          cell.pictures_per_second > 0 ? fmt::format("{:.1f}", cell.pictures_per_second) : "",
                          result.seconds);
    }
  }
  return text;
}

StudyTable study_table(const StudyConfig& config, const std::vector<CellSummary>& cells) {
  const std::size_t rows = config.axis(config.rows);
  const std::size_t columns = config.axis(config.columns);
  StudyTable table;
  std::vector<std::size_t> in_row;
  if (rows != columns) in_row.push_back(rows);
  for (std::size_t axis = 0; axis < config.axes.size(); ++axis) {
    if (axis != rows && axis != columns && config.axes[axis].levels.size() > 1) in_row.push_back(axis);
  }
  for (const auto axis : in_row)
    table.row_heading += (table.row_heading.empty() ? "" : ", ") + config.axes[axis].name;
  table.columns = config.axes[columns].levels;
  std::vector<std::vector<std::size_t>> keys;
  for (const auto& cell : cells) {
    const auto& levels = config.cells[cell.place].levels;
    std::vector<std::size_t> key;
    for (const auto axis : in_row) key.push_back(levels[axis]);
    auto found = std::ranges::find(keys, key);
    if (found == keys.end()) {
      std::string name;
      for (const auto axis : in_row)
        name += (name.empty() ? "" : ", ") + config.axes[axis].levels[levels[axis]];
      keys.push_back(key);
      table.rows.push_back(name.empty() ? "SRCC" : name);
      table.cells.emplace_back(table.columns.size(), nullptr);
      found = std::prev(keys.end());
    }
    table.cells[static_cast<std::size_t>(found - keys.begin())][levels[columns]] = &cell;
  }
  return table;
}

std::string cell_text(const CellSummary* cell, const std::string& plus_minus) {
  if (cell == nullptr) return "";
  if (!std::isfinite(cell->srcc)) return "-";
  if (!std::isfinite(cell->error)) return fmt::format("{:.3f}", cell->srcc);
  return fmt::format("{:.3f}{}{:.3f}", cell->srcc, plus_minus, cell->error);
}

std::string table_markdown(const StudyTable& table) {
  std::string text = "| " + markdown_text(table.row_heading) + " |";
  for (const auto& column : table.columns) text += " " + markdown_text(column) + " |";
  text += "\n|---|";
  for (std::size_t c = 0; c < table.columns.size(); ++c) text += "---:|";
  text += "\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    text += "| " + markdown_text(table.rows[r]) + " |";
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const auto* const cell = table.cells[r][c];
      const auto value = cell_text(cell, " ± ");
      text += cell != nullptr && cell == best_of(table, c) ? " **" + value + "** |" : " " + value + " |";
    }
    text += "\n";
  }
  return text;
}

std::string table_latex(const StudyTable& table) {
  std::string text = "% SRCC; needs \\usepackage{booktabs}\n\\begin{tabular}{l" +
                     std::string(table.columns.size(), 'r') + "}\n\\toprule\n" +
                     latex_text(table.row_heading);
  for (const auto& column : table.columns) text += " & " + latex_text(column);
  text += " \\\\\n\\midrule\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    text += latex_text(table.rows[r]);
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const auto* const cell = table.cells[r][c];
      const auto value = "$" + cell_text(cell, " \\pm ") + "$";
      text += cell == nullptr             ? " & "
              : cell == best_of(table, c) ? " & \\boldmath{" + value + "}"
                                          : " & " + value;
    }
    text += " \\\\\n";
  }
  return text + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace quasar::study
