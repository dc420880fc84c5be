#include "pipeline/rated_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/errors.h"
#include "base/nearest_word.h"
#include "base/stop_signal.h"
#include "curation/shard_rows.h"
#include "pipeline/rank_step.h"
#include "store/embedding_shard.h"

namespace quasar::pipeline {
namespace {

/// What a row is measured by; empty where it has no such thing.
std::string group_of(const store::RowRecord& record, const std::string& group) {
  if (group == "reference") return record.reference;
  if (group == "split") return record.split;
  // Pictures that come distorted have these among their fields.
  if (group == "kind" && record.distortion)
    return std::string(distort::info_of(record.distortion->kind).name);
  if (group == "level" && record.distortion) return std::to_string(record.distortion->level);
  if (record.fields.empty()) return "";
  const auto fields = nlohmann::json::parse(record.fields, nullptr, false);
  const auto found = fields.is_object() ? fields.find(group) : fields.end();
  if (!fields.is_object() || found == fields.end()) return "";
  return found->is_string() ? found->get<std::string>() : found->dump();
}

class RunReader {
 public:
  RunReader(const RunConfig& config, const RatedRunQuery& query) : config_(config), query_(query) {
    auto& pictures = run_.pictures;
    std::vector<std::string> names;
    for (const auto& source : config.anchors) names.push_back(source.name);
    for (const auto& name : query.anchors) {
      if (std::find(names.begin(), names.end(), name) == names.end()) {
        base::fail(base::ExitCode::kUsage,
                   fmt::format("--score {}: the run has no anchor set of that name; there are: {}{}", name,
                               fmt::join(names, ", "), base::did_you_mean(name, names)));
      }
    }
    pictures.scorers = query.anchors.empty() ? names : query.anchors;
    pictures.scores.resize(pictures.scorers.size());
  }

  void read(const dataset::DataSet& corpus) {
    const auto input = rank_input(config_, corpus);
    check_scored(config_, corpus, run_.pictures.scorers);
    curation::ShardRows(input, run_.pictures.scorers).for_each_row([&](const curation::ShardRows::Row& row) {
      base::end_if_stopped();
      add_row(row.record, row.number, row.scores);
    });
    if (!references_.empty()) count_references(input);
  }

  RatedRun finish() {
    auto& pictures = run_.pictures;
    if (!deviations_) pictures.deviations.clear();
    if (!query_.group.empty() && !grouped_)
      base::fail(
          base::ExitCode::kConfig,
          fmt::format(
              "--group {}: no row has one; there are kind and level (of a distortion), reference, split, and "
              "the fields of the corpus's metadata",
              query_.group));
    if (repeated_ > 0) pictures.noted["pictures whose bytes are those of an earlier row"] = repeated_;
    return std::move(run_);
  }

 private:
  /// References that are rows themselves and were not read. Names that no row has are those of groups alone.
  void count_references(const curation::RankInput& input) {
    std::unordered_set<std::string> failed;
    curation::ShardRows(input, {}).for_each_row([&](const curation::ShardRows::Row& row) {
      if (row.record.status != base::RowStatus::kOk && references_.contains(row.record.id))
        failed.insert(row.record.id);
    });
    for (const auto& id : failed)
      run_.pictures.noted["pictures whose reference could not be read"] += references_.at(id);
  }

  void add_row(const store::RowRecord& record, std::size_t number, std::span<const float> scores) {
    auto& pictures = run_.pictures;
    if (!record.reference.empty()) ++references_[record.reference];
    if (query_.with_ids)
      (record.status == base::RowStatus::kOk ? run_.ids : run_.failed_ids).push_back(record.id);
    if (record.status != base::RowStatus::kOk) {
      ++pictures.left_out[fmt::format("picture is {}", base::status_name(record.status))];
      return;
    }
    if (!record.hash.empty() && !hashes_.insert(record.hash).second) ++repeated_;
    for (std::size_t s = 0; s < scores.size(); ++s) pictures.scores[s].push_back(scores[s]);
    pictures.labels.push_back(record.label);
    pictures.deviations.push_back(record.deviation);
    deviations_ = deviations_ || record.deviation == record.deviation;
    if (!query_.group.empty()) {
      pictures.groups.push_back(group_of(record, query_.group));
      grouped_ = grouped_ || !pictures.groups.back().empty();
    }
    run_.rows.push_back(number);
  }

  const RunConfig& config_;
  const RatedRunQuery& query_;
  RatedRun run_;
  std::unordered_set<std::string> hashes_;
  std::unordered_map<std::string, std::uint64_t> references_;  ///< Rows of each.
  std::uint64_t repeated_ = 0;
  bool deviations_ = false;
  bool grouped_ = false;
};

/// Where each id is, among those read; nothing for one that failed.
using Places = std::unordered_map<std::string_view, std::optional<std::size_t>>;

Places places_of(const RatedRun& run) {
  Places places;
  for (std::size_t i = 0; i < run.ids.size(); ++i) places.emplace(run.ids[i], i);
  for (const auto& id : run.failed_ids) places.emplace(id, std::nullopt);
  return places;
}

/// Throws Error(kMismatch) where one of the runs has a picture that the other lacks.
void check_same_pictures(const Places& first, const Places& second, const std::string& other_name) {
  std::size_t both = 0;
  std::string_view example;
  for (const auto& [id, place] : first) {
    both += second.contains(id) ? 1 : 0;
    if (!second.contains(id) && (example.empty() || id < example)) example = id;
  }
  for (const auto& [id, place] : second) {
    if (!first.contains(id) && (example.empty() || id < example)) example = id;
  }
  if (both == first.size() && both == second.size()) return;
  base::fail(
      base::ExitCode::kMismatch,
      fmt::format("--with {}: the runs are not of the same pictures: {} ids are in both, {} only in the "
                  "first run, {} only in the other, among them {}",
                  other_name, both, first.size() - both, second.size() - both, example));
}

bool same_label(double a, double b) {
  return a == b || (std::isnan(a) && std::isnan(b));
}

template <typename T>
void keep_only(std::vector<T>& values, const std::vector<std::size_t>& kept) {
  if (values.empty()) return;
  std::vector<T> result;
  result.reserve(kept.size());
  for (const std::size_t i : kept) result.push_back(std::move(values[i]));
  values = std::move(result);
}

}  // namespace

void join_run(RatedRun& run, const RatedRun& other, const std::string& other_name) {
  const auto places = places_of(other);
  check_same_pictures(places_of(run), places, other_name);
  auto& pictures = run.pictures;
  std::vector<std::size_t> kept;
  std::vector<std::size_t> from;
  std::uint64_t differ = 0;
  std::string example;
  for (std::size_t i = 0; i < run.ids.size(); ++i) {
    const auto place = places.at(run.ids[i]);
    if (!place) {
      ++pictures.left_out[fmt::format("picture was not scored in {}", other_name)];
      continue;
    }
    kept.push_back(i);
    from.push_back(*place);
    if (same_label(pictures.labels[i], other.pictures.labels[*place])) continue;
    if (++differ == 1) example = run.ids[i];
  }
  if (differ > 0) {
    base::fail(base::ExitCode::kMismatch,
               fmt::format("--with {}: the runs do not have the same labels: those of {} of {} pictures "
                           "differ, the first is {}",
                           other_name, differ, kept.size(), example));
  }
  for (auto& scores : pictures.scores) keep_only(scores, kept);
  for (auto* values : {&pictures.labels, &pictures.deviations, &pictures.observers}) keep_only(*values, kept);
  keep_only(pictures.groups, kept);
  keep_only(run.rows, kept);
  keep_only(run.ids, kept);
  const auto is_taken = [&](const std::string& name) {
    return std::find(pictures.scorers.begin(), pictures.scorers.end(), name) != pictures.scorers.end();
  };
  for (std::size_t s = 0; s < other.pictures.scorers.size(); ++s) {
    auto name = other.pictures.scorers[s];
    if (is_taken(name)) name = fmt::format("{} ({})", name, other_name);
    if (is_taken(name)) {
      base::fail(base::ExitCode::kUsage,
                 fmt::format("--with {}: there is a scorer \"{}\" already", other_name, name));
    }
    pictures.scorers.push_back(name);
    auto& scores = pictures.scores.emplace_back();
    scores.reserve(from.size());
    for (const std::size_t i : from) scores.push_back(other.pictures.scores[s][i]);
  }
}

RatedRun read_rated_run(const RunConfig& config, const dataset::DataSet& corpus, const RatedRunQuery& query) {
  RunReader reader(config, query);
  reader.read(corpus);
  auto run = reader.finish();
  for (const auto& set : corpus.plan().published_sets()) run.pictures.remarks.push_back(corpus::to_text(set));
  // They would be compared with residuals.
  const auto scale = corpus.plan().label_scale();
  if (scale && !scale->deviations_in_units && !run.pictures.deviations.empty()) {
    run.pictures.deviations.clear();
    run.pictures.remarks.emplace_back(
        "The deviations of the ratings are on another scale than the ratings, and are not used.");
  }
  for (const auto& [why, count] : corpus.plan().left_out())
    run.pictures.noted["left out of the corpus: " + why] = count;
  for (const auto& [what, count] : corpus.plan().noted())
    run.pictures.noted["of the corpus: " + what] = count;
  return run;
}

}  // namespace quasar::pipeline
