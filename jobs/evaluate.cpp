#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "base/atomic_file.h"
#include "evaluation/evaluate.h"
#include "evaluation/evaluation_text.h"
#include "job.h"
#include "pipeline/rated_table.h"

namespace quasar::jobs {
namespace {

struct EvaluateOptions {
  std::filesystem::path table;
  pipeline::RatedTableColumns columns;
  std::optional<std::uint64_t> resamples;
  std::uint64_t seed = 1;
  std::filesystem::path json;
  std::filesystem::path csv;
};

void evaluate(const EvaluateOptions& options, const comm::Communicator& comm) {
  comm.on_root([&] {
    const auto evaluation = evaluation::evaluate(pipeline::read_rated_table(options.table, options.columns),
                                                 {.resamples = options.resamples, .seed = options.seed});
    if (!options.json.empty()) base::write_file_atomically(options.json, evaluation_json(evaluation));
    if (!options.csv.empty()) base::write_file_atomically(options.csv, evaluation_csv(evaluation));
    fmt::print("{}", evaluation_text(evaluation));
  });
}

}  // namespace

void register_evaluate(CLI::App& app, const EngineJobs& /*engine*/, Work& chosen) {
  auto options = std::make_shared<EvaluateOptions>();
  auto* command = app.add_subcommand(
      "evaluate",
      "Measure how well scores agree with ratings of the same pictures, in a table or a manifest");
  command
      ->add_option(
          "--table", options->table,
          "CSV, TSV (.tsv) or JSON lines (.jsonl); a run's manifest.csv is one, where its corpus has "
          "labels")
      ->required();
  const auto add_column = [&](const char* name, std::string& column, const char* what) {
    return command->add_option(name, column, what)->type_name("COLUMN");
  };
  command
      ->add_option("--score", options->columns.scores,
                   "Column of scores; given several times, scorers are compared on the same pictures")
      ->type_name("COLUMN")
      ->required()
      ->take_all()
      ->allow_extra_args(false);
  add_column("--label", options->columns.label, "Column of ratings")->required();
  add_column("--group", options->columns.group,
             "Column of groups to measure one by one: kind, reference, theme");
  add_column("--deviation", options->columns.deviation,
             "Column of the ratings' standard deviations, for the outlier ratio");
  add_column("--observers", options->columns.observers,
             "Column of the number of people behind each rating, for the analysis of pairs");
  command->add_option("--bootstrap", options->resamples,
                      "Resamples for intervals; 1000 up to 100,000 rows, and none beyond, unless given");
  command->add_option("--seed", options->seed, "Of the resamples")->capture_default_str();
  command->add_option("--json", options->json, "Write all that was measured to this file");
  command->add_option("--csv", options->csv, "Write a line for each scorer and group to this file");
  command->callback([options, &chosen] {
    chosen = [options](const comm::Communicator& comm) { evaluate(*options, comm); };
  });
}

}  // namespace quasar::jobs
