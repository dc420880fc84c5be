#include <fmt/format.h>

#include "base/activity.h"
#include "base/file_status.h"
#include "base/logging.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "pass/run_pass.h"
#include "pipeline/steps.h"
#include "store/score_shard.h"

namespace quasar::pipeline {
namespace {

/// The set that the configuration means, as it is stored.
struct ConfiguredSet {
  std::string name;
  std::filesystem::path file;
  std::string fingerprint;
};

/// Refuses to rank without a file that scoring leaves behind.
void check_scored(const std::filesystem::path& file) {
  if (std::filesystem::exists(base::file_status(file))) return;
  base::fail(base::ExitCode::kInput, file.string() + " is missing: run \"quasar score\" first");
}

/// Refuses a stored set that was built by another recipe than `source` states.
void check_recipe(const AnchorSource& source, const std::filesystem::path& file, const std::string& recipe) {
  // What was put in adds itself: the fingerprint of the data, or where prompts were embedded.
  if (recipe == source.recipe_text || recipe.starts_with(source.recipe_text + "\n# ")) return;
  base::fail(
      base::ExitCode::kMismatch,
      fmt::format("the anchor set \"{}\" in {} was built by another recipe than the configured one; run "
                  "\"quasar score\" first, or set the configuration back. Built by:\n{}\nconfigured:\n{}",
                  source.name, file.string(), recipe, source.recipe_text));
}

std::vector<ConfiguredSet> configured_sets(const RunConfig& config) {
  std::vector<ConfiguredSet> sets;
  for (const auto& source : config.anchors) {
    const bool built = source.file.empty();
    const auto file = built ? config.run / "anchors" / (source.name + ".h5") : source.file;
    if (built) check_scored(file);
    const auto set = store::read_anchor_file(file);
    if (built) check_recipe(source, file, set.recipe);
    sets.push_back({source.name, file, store::anchor_fingerprint(set)});
  }
  return sets;
}

/// Refuses scores that were made by other anchors than the configured ones: a ranking of them would bear the
/// wrong name.
void check_scores(const RunConfig& config, const corpus::Plan& plan, pass::ShardFeed& feed) {
  constexpr std::size_t kShown = 12;
  const auto sets = configured_sets(config);
  while (const auto next = feed.next()) {
    feed.add_done(1);
    const auto path = score_path(config.run, plan.shards()[*next].id);
    check_scored(path);
    const auto found = store::read_score_anchors(path);
    for (const auto& set : sets) {
      const auto scored = found.find(set.name);
      // Curation says what is wrong with a shard that lacks a column.
      if (scored == found.end() || scored->second == set.fingerprint) continue;
      base::fail(
          base::ExitCode::kMismatch,
          fmt::format("{} was scored by other anchors \"{}\" (fingerprint {}) than the configured ones, {} "
                      "(fingerprint {}); run \"quasar score\" first, or set the configuration back",
                      path.string(), set.name, scored->second.substr(0, kShown), set.file.string(),
                      set.fingerprint.substr(0, kShown)));
    }
  }
}

}  // namespace

curation::CurationResult rank_step(const RunConfig& config, const corpus::Plan& plan,
                                   const comm::Communicator& comm) {
  const base::Phase phase("rank");
  curation::RankInput input;
  input.embeddings = config.run / "embeddings";
  input.scores = config.run / "scores";
  for (const auto& shard : plan.shards()) {
    input.shards.push_back(shard.id);
    input.shard_first.push_back(shard.first);
  }
  std::vector<std::string> columns;
  for (const auto& anchor : config.anchors) columns.push_back(anchor.name);
  pass::run_pass({"check scores", "", plan.shards().size()}, comm,
                 [&](pass::ShardFeed& feed) { check_scores(config, plan, feed); });
  auto result = curation::write_manifests(config.run, input, columns, config.curation, software_versions(),
                                          comm, base::stop_requested);
  if (comm.is_root()) {
    base::log_info("{} rows: {} scored, {} failed, {} kept", base::with_thousands(result.rows),
                   base::with_thousands(result.scored), base::with_thousands(result.failed),
                   base::with_thousands(result.kept));
  }
  if (result.scored == 0) {
    std::string failures;
    for (const auto& [status, count] : result.by_status)
      failures += fmt::format(" {} {}", count, base::status_name(status));
    base::fail(base::ExitCode::kNoResult,
               fmt::format("not one of {} images could be scored ({}); {} names each with its reason",
                           result.rows, failures.substr(1), (config.run / "manifest.csv").string()));
  }
  return result;
}

}  // namespace quasar::pipeline
