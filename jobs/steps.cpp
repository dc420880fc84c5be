#include "job.h"
#include "pipeline/peak_memory.h"
#include "pipeline/rank_step.h"
#include "pipeline/run_start.h"

namespace quasar::jobs {
namespace {

/// A step that works with anchors and with what is stored, and needs no image of the corpus.
void add(CLI::App& app, Work& chosen, const char* name, const char* description, Job<ConfigOptions> job) {
  auto options = std::make_shared<ConfigOptions>();
  auto* command = app.add_subcommand(name, description);
  add_config_options(*command, *options);
  options->corpus = corpus::SourcePresence::kAny;
  options->anchors = pipeline::AnchorNeed::kSome;
  command->callback([options, job, &chosen] { chosen = work_of(job, options); });
}

void register_embed(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<EmbedOptions>();
  auto* command = app.add_subcommand("embed", "Embed every image of the corpus that has no embedding yet");
  add_config_options(*command, *options);
  add_retry_option(*command, options->retry);
  command
      ->add_option("--part", options->part,
                   "Embed only the shards whose number leaves remainder I when divided by N, beside other "
                   "jobs on the same run directory (a job array); freeze the plan before with \"quasar plan "
                   "--freeze\", so that the corpus is listed once")
      ->type_name("I/N");
  command->callback([options, engine, &chosen] { chosen = work_of(engine.embed, options); });
}

void rank(const ConfigOptions& options, const comm::Communicator& comm) {
  const auto config = load_config(options, comm);
  const auto corpus = pipeline::open_stored_run(config, comm);
  pipeline::rank_step(config, corpus, dataset::WrittenBy::kEarlierJob, comm);
  pipeline::report_peak_memory(config, comm);
}

}  // namespace

void register_steps(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  register_embed(app, engine, chosen);
  add(app, chosen, "anchors", "Build the configured anchor sets from their anchor data", engine.anchors);
  add(app, chosen, "score", "Score the stored embeddings against the anchors; touches no image of the corpus",
      engine.score);
  add(app, chosen, "rank", "Rank the stored scores and write manifests, report and summary", rank);
}

}  // namespace quasar::jobs
