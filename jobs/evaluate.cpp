#include "evaluate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/atomic_file.h"
#include "evaluation/evaluation_page.h"
#include "evaluation/evaluation_text.h"
#include "evaluation/folds.h"
#include "pipeline/rated_table.h"

namespace quasar::jobs {
namespace {

/// What the options say goes together. Throws Error(kUsage).
void check(const EvaluateOptions& options) {
  const auto refuse = [](const std::string& why) { base::fail(base::ExitCode::kUsage, "evaluate: " + why); };
  if (options.config.empty() == options.table.empty())
    refuse("either a configuration, whose run is evaluated, or --table FILE");
  if (!options.distortions.folder.empty()) return;
  const auto& scores = options.columns.scores;
  for (auto score = scores.begin(); score != scores.end(); ++score) {
    if (std::find(scores.begin(), score, *score) != score) refuse("--score " + *score + " is given twice");
  }
  if (options.folds != 0 && !options.columns.group.empty()) refuse("--folds and --group: one of them");
  if (!options.with.empty() && !options.table.empty())
    refuse("--with is of a run; further scorers in a --table are columns, each with --score");
  if (options.table.empty()) {
    if (!options.columns.label.empty() || !options.columns.deviation.empty())
      refuse("--label and --deviation are columns of a --table; a run has those of its corpus");
    return;
  }
  if (options.columns.scores.empty()) refuse("--table wants --score COLUMN");
  if (options.columns.label.empty()) refuse("--table wants --label COLUMN");
  if (!options.overrides.empty()) refuse("--set is of a configuration");
}

void evaluate_table(const EvaluateOptions& options, const comm::Communicator& comm) {
  comm.on_root([&] {
    auto pictures = pipeline::read_rated_table(options.table, options.columns);
    const auto evaluation = measured(pictures, options);
    tell(pictures, evaluation, {}, options);
  });
}

/// Photos under distortions have no ratings of their own. Throws Error(kUsage). CLI11's excludes() would list
/// all of them in the help.
void refuse_options_of_ratings(const CLI::App& command) {
  if (command.count("--distortions") == 0) return;
  for (const char* other : {"--table", "--with", "--score", "--label", "--group", "--deviation",
                            "--observers", "--folds", "--fold-seed", "--bootstrap", "--html"}) {
    if (command.count(other) > 0)
      base::fail(base::ExitCode::kUsage, fmt::format("evaluate: --distortions does not go with {}", other));
  }
}

/// The options of photos under distortions, which go with few of the others.
void add_distortion_options(CLI::App& command, EvaluateOptions& options) {
  auto& job = options.distortions;
  auto* folder =
      command
          .add_option(
              "--distortions", job.folder,
              "Instead of rated pictures: folder of good photos that anchors and encoder have not seen; "
              "25 kinds x 5 levels of distortion are rendered, embedded with CONFIG's encoder, scored, and "
              "compared with the mean human score of each in KADID-10k")
          ->check(CLI::ExistingDirectory);
  command.add_option("--photos", job.photos, "Photos of that folder to take, evenly spread")
      ->check(CLI::Range(2, 1000000))
      ->capture_default_str()
      ->needs(folder);
  command.add_option("--anchors", job.anchors, "Anchor set to measure on them; the first when not given")
      ->type_name("NAME")
      ->needs(folder);
  command.add_option("--unseen", job.unseen, "Kinds to report apart, as the encoder was not trained on them")
      ->delimiter(',')
      ->type_name("KIND,...")
      ->needs(folder);
  command
      .add_flag(
          "--baselines", job.baselines,
          "Measure on the same copies, too: every other anchor set of CONFIG, bytes as a JPEG of quality 75, "
          "variance of the Laplacian")
      ->needs(folder);
}

}  // namespace

evaluation::Evaluation measured(evaluation::RatedPictures& pictures, const EvaluateOptions& options) {
  if (options.folds != 0)
    pictures.groups = evaluation::folds(pictures.labels.size(), options.folds, options.fold_seed);
  evaluation::EvaluationOptions how{.resamples = options.resamples};
  if (options.seed) how.seed = *options.seed;
  return evaluation::evaluate(pictures, how);
}

void tell(const evaluation::RatedPictures& pictures, const evaluation::Evaluation& evaluation,
          const std::vector<std::vector<plot::Thumbnail>>& disagreements, const EvaluateOptions& options) {
  if (!options.json.empty()) base::write_file_atomically(options.json, evaluation_json(evaluation));
  if (!options.csv.empty()) base::write_file_atomically(options.csv, evaluation_csv(evaluation));
  if (!options.html.empty())
    base::write_file_atomically(options.html, evaluation_page(pictures, evaluation, disagreements));
  fmt::print("{}", evaluation_text(evaluation));
}

void register_evaluate(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<EvaluateOptions>();
  options->corpus = corpus::SourcePresence::kAny;
  options->anchors = pipeline::AnchorNeed::kSome;
  auto* command = app.add_subcommand("evaluate",
                                     "Measure how well scores agree with people: with ratings of a run's "
                                     "pictures or of a table's, or on photos "
                                     "under distortions");
  add_config_options(*command, *options);
  command->get_option("CONFIG")->required(false)->description(
      "Configuration, or directory, of a run that is scored, whose corpus has labels; what was measured is "
      "written to "
      "RUN/evaluation.json, .csv and .html, or each where --json, --csv and --html say");
  command->add_option("--table", options->table, "Instead of a run: CSV, TSV (.tsv) or JSON lines (.jsonl)");
  command
      ->add_option(
          "--with", options->with,
          "Further run of the same pictures and labels, whose scorers are compared with those of CONFIG "
          "after the pictures' ids; may be given several times")
      ->type_name("RUN")
      ->take_all()
      ->allow_extra_args(false);
  const auto add_column = [&](const char* name, std::string& column, const char* what) {
    return command->add_option(name, column, what)->type_name("COLUMN");
  };
  command
      ->add_option(
          "--score", options->columns.scores,
          "Column of scores, or anchor set of the run (all when not given); given several times, scorers are "
          "compared on the same pictures")
      ->type_name("COLUMN")
      ->take_all()
      ->allow_extra_args(false);
  add_column("--label", options->columns.label, "Column of ratings");
  add_column("--group", options->columns.group,
             "Column of groups to measure one by one; of a run: kind and level (of a distortion), reference, "
             "split, or "
             "a field of the corpus");
  add_column("--deviation", options->columns.deviation,
             "Column of the ratings' standard deviations, for the outlier ratio");
  add_column("--observers", options->columns.observers,
             "Column of the number of people behind each rating, for the analysis of pairs");
  command
      ->add_option("--folds", options->folds,
                   "Measure by fold: a random order cut into so many runs of equal length, the last of which "
                   "takes the "
                   "rest")
      ->check(CLI::Range(2, 1000000));
  command
      ->add_option("--fold-seed", options->fold_seed,
                   "Of that order, which is NumPy's RandomState(SEED).permutation")
      ->capture_default_str();
  command
      ->add_option("--bootstrap", options->resamples,
                   "Resamples for intervals; 1000 up to 100,000 rows, and none beyond, unless given")
      ->check(CLI::Range(0, 1'000'000));
  command->add_option("--seed", options->seed,
                      "Of the resamples (1 when not given), or of the distortions (7)");
  command->add_option("--json", options->json, "Write all that was measured to this file");
  command->add_option("--csv", options->csv, "Write a line for each scorer and group to this file");
  command->add_option("--html", options->html, "Write a page of figures to this file");
  add_distortion_options(*command, *options);
  command->callback([options, engine, &chosen, command] {
    refuse_options_of_ratings(*command);
    check(*options);
    accept_run_directory(*options);
    if (!options->table.empty()) {
      chosen = work_of<EvaluateOptions>(evaluate_table, options);
    } else {
      chosen = work_of(options->distortions.folder.empty() ? engine.evaluate : engine.evaluate_distortions,
                       options);
    }
  });
}

}  // namespace quasar::jobs
