// Owns the columns of a manifest: what each is named, what its values are, where they come from and whether
// they travel through the sort. Reading, packing, printing and the names that an anchor set may not have all
// follow from this one table.
//
// To add a column: of the row of a shard, a line in the table of column.cpp; of the selection, a line in
// SelectionPass::columns() of the pass that fills it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "store/embedding_shard.h"

namespace quasar::curation {

/// What a column's values are, and so how they print.
enum class CellType {
  kCount,       ///< std::uint64_t.
  kScore,       ///< float, in the fewest digits that read back to it.
  kNumber,      ///< double, in the fewest digits that read back to it.
  kPercentile,  ///< double, of up to six decimals.
  kFlag,        ///< bool.
  kText,        ///< std::string_view, whatever its bytes.
  kObject,      ///< std::string_view of a JSON object.
};

/// One value of a row; std::monostate where it has none. Texts are views, whose owner outlives them.
using Cell = std::variant<std::monostate, std::uint64_t, float, double, bool, std::string_view>;

/// What a row of the stores brings with it.
struct StoredRow {
  const store::RowRecord& record;
  base::RowStatus status;         ///< As the manifest has it.
  std::span<const float> scores;  ///< One per score column; empty for a row that is not scored.
  std::uint64_t number = 0;       ///< Its place in the plan.
};

struct Column {
  std::string name;
  CellType type = CellType::kText;
  /// Whether its value is known before the order is and travels through the sort. The id does by itself.
  bool packed = false;
  /// Whether the manifest leaves the column out when no row has a value.
  bool optional = false;
  /// The value of a stored row; null for columns that selection fills, and for scores.
  Cell (*read)(const StoredRow& row) = nullptr;
  /// Travels through the sort for selection, and is in no manifest.
  bool internal = false;
};

/// The columns of one manifest, in order.
class Columns {
 public:
  /// Every manifest's, with one for each of `scores` (combined last, if it is a column) after the hash, and
  /// those that selection adds at the end.
  explicit Columns(std::span<const std::string> scores, std::vector<Column> added = {});

  std::size_t size() const { return columns_.size(); }
  const Column& operator[](std::size_t column) const { return columns_[column]; }
  auto begin() const { return columns_.begin(); }
  auto end() const { return columns_.end(); }
  /// Place of the column of that name, which must be there.
  std::size_t index_of(std::string_view name) const;
  /// Place of the column that names a row.
  std::size_t id() const { return id_; }
  /// Place of the first score, and number of scores.
  std::size_t first_score() const { return first_score_; }
  std::size_t scores() const { return scores_; }

 private:
  std::vector<Column> columns_;
  std::size_t first_score_;
  std::size_t scores_;
  std::size_t id_;
};

/// Whether a column of every manifest has that name.
bool is_own_column(std::string_view name);

}  // namespace quasar::curation
