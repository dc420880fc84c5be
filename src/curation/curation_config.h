// Owns the settings of ranking and selection: the `curation` section of a configuration.
//
//   curation:
//     weights: {quality: 1, aesthetics: 0.5}   # combined score; absent: equal weights
//     rank_by: combined                        # or the name of an anchor set
//     minimum: {quality: 0.3}                  # rows below a floor are never kept; {score: 0.3, errors: 2}:
//                                              # nor those above it by less than two standard errors
//     out_of_distribution: drop                # or keep
//     filter_presets: [datacomp-basic]         # filter.h; and filters: of one's own
//     duplicates: {exact: true, perceptual: true}  # duplicate_rule.h
//     balance: {levels: [20000, 500, 20], target: 100000}  # balance_rule.h
//     keep: {top_fraction: 0.3}                # or threshold: 0.5, or top_k: 1000; absent: every scored row
//     manifest: [csv, jsonl]
//     report: true
//     memory: 2GiB
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/config_node.h"
#include "curation/balance_rule.h"
#include "curation/duplicate_rule.h"
#include "curation/filter.h"

namespace quasar::curation {

/// Name of the column that joins all anchor sets.
inline constexpr const char* kCombinedColumn = "combined";

struct CurationConfig {
  /// Weight of each column in the combined score, a weighted mean. Empty: equal weights. Otherwise columns
  /// without an entry have weight 0, and an entry without a column is an error.
  std::map<std::string, double> weights;
  std::string rank_by = kCombinedColumn;  ///< Column that rows are ranked by.
  std::map<std::string, double> minimum;  ///< Floor by column: rows below it are never kept.
  /// By column with a floor: so many standard errors (NAME_error) are taken off a score before it is
  /// compared.
  std::map<std::string, double> minimum_errors;
  bool drop_out_of_distribution = false;  ///< Rows unlike any anchor are never kept.
  /// Columns at the end of the scores that say something of them; they have no part in the combined score.
  /// Of the anchor sets, not of the section.
  std::vector<std::string> measures;

  DuplicateRule duplicates;         ///< Of the rows that filters leave, copies of better ones go.
  BalanceRule balance;              ///< Of the rows that are left then, an even sample over clusters stays.
  std::vector<FilterRule> filters;  ///< Rows that do not pass are never kept.

  // At most one of the three. None: every scored row that meets the floors is kept.
  std::optional<double> threshold;  ///< Keep rows whose ranking score is at least this (compared as float32).
  std::optional<std::uint64_t> top_k;  ///< Keep the best k of the rows that meet the floors.
  /// Keep the best round(fraction * scored rows) of the rows that meet the floors. In [0, 1].
  std::optional<double> top_fraction;

  bool csv = true;     ///< Write manifest.csv.
  bool jsonl = true;   ///< Write manifest.jsonl.
  bool report = true;  ///< Write report.html.

  std::int64_t memory = std::int64_t{2}
                        << 30U;  ///< Bytes per rank for sorting; more rows than fit go to disk.
};

/// Name of the flag of rows that are unlike any anchor.
inline constexpr const char* kOutOfDistributionColumn = "out_of_distribution";
/// Name of the column of an anchor set's standard errors.
std::string error_column(const std::string& set);

/// Least memory that ranking accepts, in bytes.
inline constexpr std::int64_t kLeastMemory = std::int64_t{16} << 20U;

/// Reads the `curation` section; null gives the defaults. Throws Error(kConfig) with file, line and key.
CurationConfig curation_config_from_yaml(const base::ConfigNode& node);

/// Throws Error(kConfig), with file, line, key and the nearest name, when the section `node` that `config`
/// was read from names a column that is neither one of the anchor sets nor the combined score.
void check_columns(const base::ConfigNode& node, const CurationConfig& config,
                   const std::vector<std::string>& sets);

}  // namespace quasar::curation
