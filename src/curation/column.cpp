#include "curation/column.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <utility>

#include "base/errors.h"

namespace quasar::curation {
namespace {

Cell text(const std::string& value) {
  return std::string_view(value);
}

/// A width or height; what an image cannot have reads as none.
Cell pixels(int value) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(value));
}

const std::array<Column, 7>& columns_before_scores() {
  static const std::array<Column, 7> columns{{
      {"rank", CellType::kCount},
      {"id", CellType::kText, false, false, [](const StoredRow& row) { return text(row.record.id); }},
      {"source", CellType::kText, true, false, [](const StoredRow& row) { return text(row.record.source); }},
      {"member", CellType::kText, true, false, [](const StoredRow& row) { return text(row.record.member); }},
      {"offset", CellType::kCount, true, false, [](const StoredRow& row) { return Cell(row.record.offset); }},
      {"bytes", CellType::kCount, true, false, [](const StoredRow& row) { return Cell(row.record.bytes); }},
      {"hash", CellType::kText, true, false, [](const StoredRow& row) { return text(row.record.hash); }},
  }};
  return columns;
}

const std::array<Column, 10>& columns_after_scores() {
  static const std::array<Column, 10> columns{{
      {"percentile", CellType::kPercentile},
      {"width", CellType::kCount, true, false, [](const StoredRow& row) { return pixels(row.record.width); }},
      {"height", CellType::kCount, true, false,
       [](const StoredRow& row) { return pixels(row.record.height); }},
      {"status", CellType::kText, true, false,
       [](const StoredRow& row) { return Cell(base::status_name(row.status)); }},
      {"keep", CellType::kFlag},
      {"reason", CellType::kText},
      {"label", CellType::kNumber, true, true,
       [](const StoredRow& row) { return std::isnan(row.record.label) ? Cell() : Cell(row.record.label); }},
      {"fields", CellType::kObject, true, true,
       [](const StoredRow& row) { return row.record.fields.empty() ? Cell() : text(row.record.fields); }},
      {"format", CellType::kText, true, true,
       [](const StoredRow& row) { return row.record.format.empty() ? Cell() : text(row.record.format); }},
      {"row", CellType::kCount, true, true, [](const StoredRow& row) { return Cell(row.number); }},
  }};
  return columns;
}

}  // namespace

Columns::Columns(std::span<const std::string> scores, std::vector<Column> added)
    : columns_(columns_before_scores().begin(), columns_before_scores().end()),
      first_score_(columns_.size()),
      scores_(scores.size()),
      id_(index_of("id")) {
  for (const auto& score : scores) columns_.push_back({score, CellType::kScore, true});
  const auto& after = columns_after_scores();
  columns_.insert(columns_.end(), after.begin(), after.end());
  columns_.insert(columns_.end(), std::make_move_iterator(added.begin()),
                  std::make_move_iterator(added.end()));
}

std::size_t Columns::index_of(std::string_view name) const {
  const auto found = std::find_if(columns_.begin(), columns_.end(),
                                  [&](const Column& column) { return column.name == name; });
  QUASAR_CHECK(found != columns_.end());
  return static_cast<std::size_t>(found - columns_.begin());
}

bool is_own_column(std::string_view name) {
  const auto has_it = [&](const Column& column) { return column.name == name; };
  return std::ranges::any_of(columns_before_scores(), has_it) ||
         std::ranges::any_of(columns_after_scores(), has_it);
}

}  // namespace quasar::curation
