#include "pipeline/score_columns.h"

#include <algorithm>

#include "base/checksum.h"
#include "base/errors.h"
#include "curation/curation_config.h"

namespace quasar::pipeline {

std::vector<ScoreColumn> score_columns(const std::vector<store::AnchorSet>& sets) {
  std::vector<ScoreColumn> columns;
  std::string telling;
  for (std::size_t i = 0; i < sets.size(); ++i)
    columns.push_back({ScoreColumn::Kind::kScore, sets[i].name, store::anchor_fingerprint(sets[i]), i});
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (sets[i].draws() > 0)
      columns.push_back(
          {ScoreColumn::Kind::kError, curation::error_column(sets[i].name), columns[i].fingerprint, i});
    if (!sets[i].neighbours.empty()) telling += columns[i].fingerprint;
  }
  if (!telling.empty())
    columns.push_back({ScoreColumn::Kind::kOutOfDistribution, curation::kOutOfDistributionColumn,
                       base::sha256_hex(telling), 0});
  for (auto column = columns.begin(); column != columns.end(); ++column) {
    if (std::any_of(columns.begin(), column, [&](const auto& other) { return other.name == column->name; }))
      base::fail(base::ExitCode::kConfig,
                 "two columns would be named \"" + column->name + "\"; give the anchor set another name");
  }
  return columns;
}

}  // namespace quasar::pipeline
