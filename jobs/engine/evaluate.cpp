#include "evaluate.h"

#include <fmt/format.h>

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

}  // namespace

void evaluate(const EvaluateOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto corpus = pipeline::open_stored_run(config, comm);
  comm.on_root([&] {
    auto files = options;
    if (files.json.empty()) files.json = config.run.evaluation("json");
    if (files.csv.empty()) files.csv = config.run.evaluation("csv");
    if (files.html.empty()) files.html = config.run.evaluation("html");
    auto run = pipeline::read_rated_run(config, corpus, {options.columns.scores, options.columns.group});
    const auto evaluation = measured(run.pictures, options);
    tell(run.pictures, evaluation, disagreements_of(config, corpus, run, evaluation), files);
    base::log_info("the page is {}", files.html.string());
  });
}

}  // namespace quasar::jobs
