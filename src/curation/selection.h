// Owns what becomes of each row and why: a list of passes over the rows in the order of their ranks, each of
// which may fill columns and say why a row is dropped.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "curation/balance.h"
#include "curation/column.h"
#include "curation/curation_config.h"
#include "curation/duplicates.h"
#include "curation/manifest_row.h"
#include "curation/score_rule.h"

namespace quasar::curation {

/// The internal column in which collecting leaves what filters found: 2 * filter + 1, and one more where the
/// row has no value there. No anchor set has its name.
inline constexpr const char* kFilterColumn = "/filter";

/// Internal columns: a row's perceptual hash, and its quality + 1.
inline constexpr const char* kPictureColumn = "/picture";
inline constexpr const char* kQualityColumn = "/quality";

/// Where a row stands in the order of all rows.
struct Place {
  std::uint64_t position = 0;          ///< From 0; rows without scores come last.
  bool scored = false;                 ///< Whether it has scores, and so a rank.
  std::uint64_t first_of_score = 0;    ///< Position of the first row that is ranked by the same score.
  std::uint64_t eligible_before = 0;   ///< Rows before it that all but the limits leave.
  std::span<const float> scores;       ///< One per anchor set.
  const Fate* fate = nullptr;          ///< Where duplicates were looked for, and the row among them.
  const Balanced* balanced = nullptr;  ///< Where rows were balanced, and the row among them.
};

/// One step of selection.
class SelectionPass {
 public:
  virtual ~SelectionPass() = default;
  /// The columns that it adds to the manifest, after those that every manifest has. Their texts are the
  /// pass's own.
  virtual std::vector<Column> columns() const { return {}; }
  /// Is called once, before the first row.
  virtual void begin(const Columns& columns) { (void)columns; }
  /// Fills its cells of the row, and says why the row is dropped; empty when it is not. Rows come in order,
  /// those that earlier passes have dropped included. The reason lives as long as the pass.
  virtual std::string_view apply(const Place& place, ManifestRow& row) = 0;
};

/// The passes of a ranking, in order. A row is dropped for the first reason that one of them gives.
class Selection {
 public:
  /// As `config` asks, for manifests of the rule's scores. `rule` outlives it; `scored`: rows with scores in
  /// the whole run.
  Selection(const CurationConfig& config, const ScoreRule& rule, std::uint64_t scored);
  /// With other passes; rows that none of them drops are kept for the reason `kept`. `scores`: names of all
  /// scores of the manifest.
  Selection(std::vector<std::unique_ptr<SelectionPass>> passes, std::string kept,
            std::span<const std::string> scores);

  /// The columns of the manifest, with those of the passes at the end.
  const Columns& columns() const { return columns_; }
  /// Fills the columns of selection. True when the row is kept.
  bool decide(const Place& place, ManifestRow& row);

 private:
  std::vector<std::unique_ptr<SelectionPass>> passes_;
  std::string kept_;
  Columns columns_;
  std::size_t keep_;
  std::size_t reason_;
};

}  // namespace quasar::curation
