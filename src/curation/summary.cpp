#include "curation/summary.h"

#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "curation/cell_text.h"

namespace quasar::curation {
namespace {

using nlohmann::ordered_json;

/// The double that reads like the float32: 0.1 instead of 0.10000000149011612.
double as_written(double value) {
  return std::strtod(shortest(static_cast<float>(value)).c_str(), nullptr);
}

ordered_json number_or_null(double value) {
  return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr);
}

ordered_json keep_rule(const CurationConfig& config) {
  auto rule = ordered_json::object();
  if (config.threshold) rule["threshold"] = *config.threshold;
  if (config.top_k) rule["top_k"] = *config.top_k;
  if (config.top_fraction) rule["top_fraction"] = *config.top_fraction;
  return rule;
}

/// What each filter asks, and how many rows do not pass.
ordered_json filters_json(const CurationResult& result) {
  auto filters = ordered_json::object();
  for (const auto& [rule, count] : result.by_filter) {
    auto& filter = filters[rule.name] = ordered_json::object();
    filter["column"] = rule.column;
    if (rule.at_least) filter["at_least"] = *rule.at_least;
    if (rule.at_most) filter["at_most"] = *rule.at_most;
    if (!rule.one_of.empty()) filter["one_of"] = rule.one_of;
    if (!rule.matches.empty()) filter["matches"] = rule.matches;
    filter["missing"] = rule.keep_missing ? "keep" : "drop";
    filter["rows_failed"] = count.failed;
    filter["rows_without_value"] = count.missing;
  }
  return filters;
}

ordered_json duplicates_json(const DuplicateRule& rule) {
  auto duplicates = ordered_json::object();
  duplicates["exact"] = rule.exact;
  if (rule.perceptual)
    duplicates["perceptual"] = {
        {"threshold", rule.threshold}, {"quality", rule.quality}, {"poses", rule.poses}};
  if (rule.cosine) {
    auto& cosine = duplicates["cosine"] = ordered_json::object();
    cosine["threshold"] = rule.least_cosine;
    if (rule.clusters > 0) {
      cosine["clusters"] = rule.clusters;
    } else {
      cosine["clusters"] = "auto";
    }
    cosine["rule"] = rule.cosine_rule == CosineRule::kGreedy ? "greedy" : "semdedup";
  }
  if (!rule.against.empty()) {
    auto& against = duplicates["against"] = ordered_json::array();
    for (std::size_t set = 0; set < rule.against.size(); ++set) against.push_back(rule.set_name(set));
  }
  return duplicates;
}

ordered_json balance_rule_json(const BalanceRule& rule) {
  auto balance = ordered_json::object();
  balance["levels"] = rule.clusters.levels;
  if (rule.rows) balance["target"] = *rule.rows;
  if (rule.share) balance["target"] = *rule.share;
  balance["best"] = rule.best;
  balance["iterations"] = rule.clusters.iterations;
  balance["seed"] = rule.clusters.seed;
  auto& resampling = balance["resample"] = ordered_json::array();
  for (const auto& level : rule.clusters.resampling)
    resampling.push_back({{"steps", level.steps}, {"rows", level.rows}});
  return balance;
}

ordered_json spread_json(const SizeSpread& spread) {
  return {{"min", spread.least}, {"median", spread.median}, {"max", spread.greatest}};
}

ordered_json balance_json(const BalanceCounts& counts) {
  auto balance = ordered_json::object();
  balance["rows"] = counts.rows;
  balance["eligible"] = counts.eligible;
  balance["target"] = counts.target;
  balance["kept"] = counts.kept;
  auto& levels = balance["levels"] = ordered_json::array();
  for (const auto& level : counts.levels)
    levels.push_back({{"clusters", level.clusters},
                      {"before", spread_json(level.before)},
                      {"after", spread_json(level.after)}});
  return balance;
}

ordered_json statistics_json(const ColumnStatistics& statistics) {
  auto column = ordered_json::object();
  column["count"] = statistics.count;
  column["min"] = number_or_null(as_written(statistics.min));
  column["mean"] = number_or_null(statistics.mean);
  column["max"] = number_or_null(as_written(statistics.max));
  auto& deciles = column["deciles"] = ordered_json::array();
  for (const double quantile : statistics.quantiles) deciles.push_back(number_or_null(as_written(quantile)));
  return column;
}

}  // namespace

std::string summary_json(const CurationResult& result, const CurationConfig& config,
                         const std::map<std::string, std::string>& versions, const WrittenFiles& files) {
  auto summary = ordered_json::object();
  summary["schema_version"] = 1;
  summary["rows"] = result.rows;
  summary["scored"] = result.scored;
  summary["failed"] = result.failed;
  summary["kept"] = result.kept;
  auto& by_status = summary["by_status"] = ordered_json::object();
  for (const auto& [status, count] : result.by_status)
    by_status[std::string(base::status_name(status))] = count;
  auto& by_reason = summary["by_reason"] = ordered_json::object();
  for (const auto& [reason, count] : result.by_reason) by_reason[reason] = count;
  if (!result.by_filter.empty()) summary["filters"] = filters_json(result);
  if (result.balance) summary["balance"] = balance_json(*result.balance);
  if (!result.left_out.empty()) summary["left_out"] = result.left_out;
  if (!result.noted.empty()) summary["noted"] = result.noted;
  auto& columns = summary["columns"] = ordered_json::object();
  for (const auto& [name, statistics] : result.columns) columns[name] = statistics_json(statistics);
  auto& used = summary["config"] = ordered_json::object();
  used["weights"] = config.weights;
  used["rank_by"] = config.rank_by;
  used["minimum"] = config.minimum;
  if (config.duplicates.any()) used["duplicates"] = duplicates_json(config.duplicates);
  if (config.balance.any()) used["balance"] = balance_rule_json(config.balance);
  used["keep"] = keep_rule(config);
  summary["software"] = versions;
  summary["computed_on"] = result.by_computed_on;
  auto& written = summary["files"] = ordered_json::object();
  for (const auto& [name, file] : files) written[name] = {{"bytes", file.bytes}, {"xxh128", file.xxh128}};
  return summary.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace quasar::curation
