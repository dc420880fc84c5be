#include "pipeline/rank_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/activity.h"
#include "base/await_file.h"
#include "base/file_status.h"
#include "base/logging.h"
#include "base/packer.h"
#include "base/progress.h"
#include "base/stop_signal.h"
#include "base/unpacker.h"
#include "dataset/await_written.h"
#include "pass/run_pass.h"
#include "pipeline/report_step.h"
#include "pipeline/run_software.h"
#include "pipeline/score_columns.h"
#include "store/anchor_file.h"
#include "store/score_shard.h"

namespace quasar::pipeline {
namespace {

/// Refuses that a file which scoring leaves behind is missing.
void check_there(const std::filesystem::path& file) {
  if (base::is_there_anew(file)) return;
  base::fail(base::ExitCode::kInput, file.string() + " is missing: run \"quasar score\" first");
}

/// The set that the configuration means, as it is stored.
struct ConfiguredSet {
  std::string name;
  std::filesystem::path file;
  std::string fingerprint;
  bool measure = false;  ///< Says something of scores, and is none itself.
};

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

/// The columns of configured sets, as they are stored.
std::vector<ConfiguredSet> read_sets(const RunConfig& config, std::span<const AnchorSource> sources) {
  std::vector<store::AnchorSet> stored;
  std::vector<std::filesystem::path> files;
  for (const auto& source : sources) {
    files.push_back(source.file.empty() ? config.run.anchor_file(source.name) : source.file);
    if (source.file.empty()) check_there(files.back());
    stored.push_back(store::read_anchor_file(files.back()));
    if (source.file.empty()) check_recipe(source, files.back(), stored.back().recipe);
    stored.back().name = source.name;
  }
  std::vector<ConfiguredSet> sets;
  for (const auto& column : score_columns(stored)) {
    sets.push_back(
        {column.name, files[column.set], column.fingerprint, column.kind != ScoreColumn::Kind::kScore});
  }
  return sets;
}

/// The columns of all configured sets, as root reads them. Collective.
std::vector<ConfiguredSet> configured_sets(const RunConfig& config, const comm::Communicator& comm) {
  std::string text;
  comm.on_root([&] {
    for (const auto& set : read_sets(config, config.anchors)) {
      base::pack_text(set.name, text);
      base::pack_text(set.file.string(), text);
      base::pack_text(set.fingerprint, text);
      base::pack(set.measure, text);
    }
  });
  comm.broadcast(text);
  std::vector<ConfiguredSet> sets;
  base::Unpacker unpacker(text, "the columns of anchor sets");
  while (!unpacker.done()) {
    auto& set = sets.emplace_back();
    set.name = unpacker.take_text();
    set.file = unpacker.take_text();
    set.fingerprint = unpacker.take_text();
    set.measure = unpacker.take<bool>();
  }
  return sets;
}

/// Refuses a shard's scores that were made by other anchors than the configured ones: a ranking of them would
/// bear the wrong name.
void check_shard_scores(const std::filesystem::path& path, const std::vector<ConfiguredSet>& sets) {
  constexpr std::size_t kShown = 12;
  check_there(path);
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

/// Waits until this host sees the scores of a shard that this job has made, of the embeddings that it sees.
void await_scores(const RunConfig& config, const dataset::DataSet& corpus, const corpus::Shard& shard,
                  const std::vector<ConfiguredSet>& sets) {
  const auto scores = config.run.scores(shard.id);
  const auto embeddings = corpus.path(shard);
  std::vector<std::string> names;
  std::vector<std::string> fingerprints;
  for (const auto& set : sets) {
    names.push_back(set.name);
    fingerprints.push_back(set.fingerprint);
  }
  try {
    dataset::await_written(scores, [&] {
      if (!base::is_there_anew(scores) || !base::is_there_anew(embeddings)) return false;
      const store::EmbeddingShardReader reader(embeddings, store::Integrity::kUnchecked);
      return store::score_shard_matches(scores, reader.header().content_xxh128, shard.id, names,
                                        fingerprints);
    });
  } catch (const base::Error& error) {
    // It may be there and wrong, which is said better.
    if (error.code() == base::ExitCode::kInput) check_shard_scores(scores, sets);
    throw;
  }
}

/// Every rank looks at the scores of those shards that it ranks.
void check_scores(const RunConfig& config, const dataset::DataSet& corpus, dataset::WrittenBy scores,
                  const std::vector<ConfiguredSet>& sets, const comm::Communicator& comm) {
  const auto& shards = corpus.plan().shards();
  std::optional<base::Progress> progress;
  if (comm.is_root()) progress.emplace("check scores", "shards", shards.size(), base::Progress::Brief::kYes);
  for (std::size_t i = static_cast<std::size_t>(comm.rank()); i < shards.size();
       i += static_cast<std::size_t>(comm.size())) {
    // Ranks go through their shards alike, one after the other of each.
    if (progress) progress->update(i);
    base::end_if_stopped();
    if (scores == dataset::WrittenBy::kThisJob) {
      await_scores(config, corpus, shards[i], sets);
    } else {
      check_shard_scores(config.run.scores(shards[i].id), sets);
    }
  }
}

}  // namespace

void check_scored(const RunConfig& config, const dataset::DataSet& corpus,
                  std::span<const std::string> sets) {
  std::vector<AnchorSource> sources;
  for (const auto& source : config.anchors)
    if (std::find(sets.begin(), sets.end(), source.name) != sets.end()) sources.push_back(source);
  auto columns = read_sets(config, sources);
  // Among other sets they are others.
  std::erase_if(columns, [](const ConfiguredSet& column) { return column.measure; });
  for (const auto& shard : corpus.plan().shards()) {
    base::end_if_stopped();
    check_shard_scores(config.run.scores(shard.id), columns);
  }
}

curation::RankInput rank_input(const RunConfig& config, const dataset::DataSet& corpus) {
  curation::RankInput input{corpus.files(),           config.run,           {}, {},
                            corpus.plan().left_out(), corpus.plan().noted()};
  for (const auto& shard : corpus.plan().shards()) {
    input.shards.push_back(shard.id);
    input.shard_first.push_back(shard.first);
  }
  return input;
}

curation::CurationResult rank_step(const RunConfig& config, const dataset::DataSet& corpus,
                                   dataset::WrittenBy scores, const comm::Communicator& comm) {
  const base::Phase phase("rank");
  const auto input = rank_input(config, corpus);
  const auto sets = configured_sets(config, comm);
  std::vector<std::string> columns;
  auto curation = config.curation;
  for (const auto& set : sets) {
    columns.push_back(set.name);
    if (set.measure) curation.measures.push_back(set.name);
  }
  comm.together([&] { check_scores(config, corpus, scores, sets, comm); });
  // Root writes it down.
  store::Software software;
  comm.on_root([&] { software = software_of_run(config.run); });
  auto result = curation::write_manifests(config.run, input, columns, curation, software, comm,
                                          base::stop_requested, details_finder(config, corpus, scores, comm));
  if (comm.is_root()) {
    base::log_info("{} rows: {} scored, {} failed, {} kept", base::with_thousands(result.rows),
                   base::with_thousands(result.scored), base::with_thousands(result.failed),
                   base::with_thousands(result.kept));
  }
  if (comm.is_root()) {
    for (const auto& [rule, count] : result.by_filter) {
      if (result.scored == 0 || count.missing < result.scored) continue;
      base::log_warning("filter {}: not one of the {} has {} in the column {}, so that all are {}", rule.name,
                        base::counted(result.scored, "scored row"),
                        rule.at_least || rule.at_most ? "a number" : "a value", rule.column,
                        rule.keep_missing ? "kept" : "dropped");
    }
  }
  if (comm.is_root() && result.by_computed_on.size() > 1) {
    base::log_warning(
        "the embeddings were computed on {} kinds of processor, which {} names with their rows: their last "
        "digits may differ",
        result.by_computed_on.size(), config.run.summary().string());
  }
  if (result.scored == 0) {
    std::string failures;
    for (const auto& [status, count] : result.by_status)
      failures += fmt::format(" {} {}", count, base::status_name(status));
    base::fail(base::ExitCode::kNoResult,
               fmt::format("not one of {} images could be scored ({}); {} names each with its reason",
                           result.rows, failures.substr(1), config.run.manifest_csv().string()));
  }
  return result;
}

}  // namespace quasar::pipeline
