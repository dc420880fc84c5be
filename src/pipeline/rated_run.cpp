#include "pipeline/rated_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <unordered_set>

#include "base/errors.h"
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
    pictures.scorers = query.anchors;
    if (pictures.scorers.empty()) {
      for (const auto& source : config.anchors) pictures.scorers.push_back(source.name);
    }
    pictures.scores.resize(pictures.scorers.size());
  }

  void read(const dataset::DataSet& corpus) {
    const auto input = rank_input(config_, corpus);
    for (const int shard : input.shards) check_scored(config_.run.scores(shard));
    curation::ShardRows(input, run_.pictures.scorers).for_each_row([&](const curation::ShardRows::Row& row) {
      if (base::stop_requested()) base::fail(base::ExitCode::kInterrupted, base::stopped_message());
      add_row(row.record, row.number, row.scores);
    });
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
  void add_row(const store::RowRecord& record, std::size_t number, std::span<const float> scores) {
    auto& pictures = run_.pictures;
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
  std::uint64_t repeated_ = 0;
  bool deviations_ = false;
  bool grouped_ = false;
};

}  // namespace

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
    run.pictures.noted["of the corpus not in the plan: " + why] = count;
  for (const auto& [what, count] : corpus.plan().noted())
    run.pictures.noted["of the corpus: " + what] = count;
  return run;
}

}  // namespace quasar::pipeline
