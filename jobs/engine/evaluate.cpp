#include "evaluate.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/logging.h"
#include "engine/engine.h"
#include "evaluation/evaluation_page.h"
#include "pipeline/rated_run.h"
#include "pipeline/run_start.h"
#include "pipeline/thumbnails.h"
#include "plot/ticks.h"

namespace quasar::jobs {
namespace {

/// Pictures shown for each scorer.
constexpr std::size_t kDisagreements = 12;

/// The pictures of the worst disagreements of every scorer.
std::vector<std::vector<plot::Thumbnail>> disagreements_of(const pipeline::RunConfig& config,
                                                           const dataset::DataSet& corpus,
                                                           const pipeline::RatedRun& run,
                                                           const evaluation::Evaluation& evaluation) {
  std::vector<std::vector<evaluation::Disagreement>> worst;
  std::vector<std::size_t> rows;
  for (std::size_t scorer = 0; scorer < evaluation.scorers.size(); ++scorer) {
    worst.push_back(evaluation::worst_disagreements(run.pictures, evaluation, scorer, kDisagreements));
    for (const auto& one : worst.back()) rows.push_back(run.rows[one.row]);
  }
  // Of all scorers at once: the decoder is started and the plan read once.
  const auto thumbnails = pipeline::thumbnails_of(config, corpus, rows);
  std::vector<std::vector<plot::Thumbnail>> all(worst.size());
  auto thumbnail = thumbnails.begin();
  for (std::size_t scorer = 0; scorer < worst.size(); ++scorer) {
    for (const auto& one : worst[scorer]) {
      all[scorer].push_back(*thumbnail++);
      all[scorer].back().remarks.push_back(
          fmt::format("score {}, rated {}, {} by the fit", plot::short_number(one.score),
                      plot::short_number(one.label), plot::short_number(one.expected)));
    }
  }
  return all;
}

/// A run that is compared with: its configuration, and what it has of its pictures.
struct OtherRun {
  std::string name;  ///< Of its folder.
  pipeline::RunConfig config;
  dataset::DataSet corpus;
};

std::vector<OtherRun> others_of(const EvaluateOptions& options, const comm::Communicator& comm) {
  std::vector<OtherRun> others;
  for (const auto& path : options.with) {
    ConfigOptions other = options;
    other.config = path;
    other.overrides.clear();
    accept_run_directory(other);
    auto config = load_config(other, comm);
    auto corpus = pipeline::load_run(config, comm);
    others.push_back({config.run.root().filename().string(), std::move(config), std::move(corpus)});
  }
  return others;
}

/// The anchor sets of a run that are asked for: all it has of those named, or all.
pipeline::RatedRunQuery query_of(const EvaluateOptions& options, const pipeline::RunConfig& config) {
  pipeline::RatedRunQuery query{options.columns.scores, options.columns.group, !options.with.empty()};
  if (options.with.empty() || query.anchors.empty()) return query;
  std::erase_if(query.anchors, [&](const std::string& name) {
    return std::none_of(config.anchors.begin(), config.anchors.end(),
                        [&](const auto& source) { return source.name == name; });
  });
  if (query.anchors.empty()) {
    base::fail(base::ExitCode::kUsage, "evaluate: " + config.run.root().string() +
                                           " was scored by none of the anchor sets given with --score");
  }
  return query;
}

}  // namespace

void evaluate(const EvaluateOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto corpus = pipeline::open_stored_run(config, comm);
  const auto others = others_of(options, comm);
  comm.on_root([&] {
    auto files = options;
    if (files.json.empty()) files.json = config.run.evaluation("json");
    if (files.csv.empty()) files.csv = config.run.evaluation("csv");
    if (files.html.empty()) files.html = config.run.evaluation("html");
    auto run = pipeline::read_rated_run(config, corpus, query_of(options, config));
    for (const auto& other : others) {
      auto query = query_of(options, other.config);
      query.group.clear();
      pipeline::join_run(run, pipeline::read_rated_run(other.config, other.corpus, query), other.name);
    }
    const auto evaluation = measured(run.pictures, options);
    tell(run.pictures, evaluation, disagreements_of(config, corpus, run, evaluation), files);
    base::log_info("the page is {}", files.html.string());
  });
}

}  // namespace quasar::jobs
