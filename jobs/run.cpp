#include "job.h"

namespace quasar::jobs {

void register_run(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<RunOptions>();
  auto* command = app.add_subcommand(
      "run", "The whole job: plan, embed, anchors, score, rank. Continues an unfinished run directory.");
  add_config_options(*command, *options);
  options->anchors = pipeline::AnchorNeed::kSome;
  add_retry_option(*command, options->retry);
  command->callback([options, engine, &chosen] { chosen = work_of(engine.run, options); });
}

}  // namespace quasar::jobs
