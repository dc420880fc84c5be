#include "curation/curation_config.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "curation/column_name.h"

namespace quasar::curation {
namespace {

/// Larger numbers of rows or bytes are somebody's mistake.
constexpr std::int64_t kMostCounted = std::int64_t{1} << 62U;

std::map<std::string, double> numbers_by_name(const base::ConfigNode& node) {
  std::map<std::string, double> numbers;
  for (const auto& [name, value] : node.entries()) {
    const auto number = value.as<double>();
    if (!std::isfinite(number)) value.fail("must be a finite number");
    numbers[name] = number;
  }
  return numbers;
}

/// Floors: numbers, or maps of a score and a number of standard errors.
void read_minimum(const base::ConfigNode& node, CurationConfig& config) {
  for (const auto& [name, value] : node.entries()) {
    const bool with_errors = value.is_map();
    const auto floor = with_errors ? value.require<double>("score") : value.as<double>();
    if (!std::isfinite(floor)) value.fail("must be a finite number");
    config.minimum[name] = floor;
    if (!with_errors) continue;
    config.minimum_errors[name] = value.get_in<double>("errors", 0, 0, 1000);
    value.finish();
  }
}

void read_weights(const base::ConfigNode& node, CurationConfig& config) {
  config.weights = numbers_by_name(node);
  double sum = 0;
  for (const auto& [name, weight] : config.weights) {
    if (weight < 0) node.fail("the weight of '" + name + "' is negative; weights are 0 or more");
    sum += weight;
  }
  if (!config.weights.empty() && !(sum > 0)) node.fail("all weights are 0; at least one must be positive");
  if (!std::isfinite(sum))
    node.fail("the sum of the weights is beyond every number; only their ratios count, so give smaller ones");
}

void read_keep(const base::ConfigNode& node, CurationConfig& config) {
  if (node.has("threshold")) {
    config.threshold = node.child("threshold").as<double>();
    if (!std::isfinite(*config.threshold)) node.child("threshold").fail("must be a finite number");
  }
  if (node.has("top_k")) {
    config.top_k = static_cast<std::uint64_t>(node.get_in<std::int64_t>("top_k", 1, 1, kMostCounted));
  }
  if (node.has("top_fraction")) config.top_fraction = node.get_in<double>("top_fraction", 1.0, 0.0, 1.0);
  node.finish();
  const int rules = (config.threshold ? 1 : 0) + (config.top_k ? 1 : 0) + (config.top_fraction ? 1 : 0);
  if (rules > 1) node.fail("give only one of threshold, top_k and top_fraction");
}

void read_formats(const base::ConfigNode& node, CurationConfig& config) {
  config.csv = config.jsonl = false;
  for (const auto& element : node.elements()) {
    const auto name = element.as<std::string>();
    if (name == "csv") {
      config.csv = true;
    } else if (name == "jsonl") {
      config.jsonl = true;
    } else {
      element.fail("'" + name + "' is no manifest format; valid are csv and jsonl");
    }
  }
  if (!config.csv && !config.jsonl) node.fail("names no format; valid are csv and jsonl");
}

}  // namespace

std::string error_column(const std::string& set) {
  return set + "_error";
}

CurationConfig curation_config_from_yaml(const base::ConfigNode& node) {
  CurationConfig config;
  if (node.is_null()) return config;
  if (node.has("weights")) read_weights(node.child("weights"), config);
  config.rank_by = node.get<std::string>("rank_by", config.rank_by);
  if (node.has("minimum")) read_minimum(node.child("minimum"), config);
  config.filters = filters_from_yaml(node);
  config.duplicates = duplicate_rule_from_yaml(node.child("duplicates"));
  config.balance = balance_rule_from_yaml(node.child("balance"));
  config.drop_out_of_distribution =
      node.get_enum<bool>(kOutOfDistributionColumn, false, {{"keep", false}, {"drop", true}});
  if (node.has("keep")) read_keep(node.child("keep"), config);
  if (node.has("manifest")) read_formats(node.child("manifest"), config);
  config.report = node.get<bool>("report", config.report);
  config.memory = node.get_in<std::int64_t>("memory", config.memory, kLeastMemory, kMostCounted);
  node.finish();
  return config;
}

void check_columns(const base::ConfigNode& node, const CurationConfig& config,
                   const std::vector<std::string>& sets) {
  const auto check = [&](const base::ConfigNode& place, const std::string& name) {
    if (name == kCombinedColumn || std::find(sets.begin(), sets.end(), name) != sets.end()) return;
    place.fail(unknown_column(name, sets));
  };
  if (config.rank_by != kCombinedColumn) check(node.child("rank_by"), config.rank_by);
  for (const auto& [name, floor] : config.minimum) check(node.child("minimum").child(name), name);
  for (const auto& [name, weight] : config.weights) {
    const auto place = node.child("weights").child(name);
    if (name == kCombinedColumn) place.fail("the combined score cannot have a weight itself");
    check(place, name);
  }
}

}  // namespace quasar::curation
