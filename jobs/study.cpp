#include "job.h"

namespace quasar::jobs {

void register_study(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<StudyOptions>();
  auto* command = app.add_subcommand(
      "study",
      "Compare encoders, anchors and settings on rated pictures: a grid of cells, its tables and figures");
  command
      ->add_option("CONFIG", options->config,
                   "Configuration file of the study (YAML); configs/studies/ holds commented ones")
      ->required();
  command->add_option("--set", options->overrides, "Override a key; may be given several times")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  command->add_flag("--plan", options->plan_only, "Check everything and tell the cost; write nothing");
  command->callback([options, engine, &chosen] { chosen = work_of(engine.study, options); });
}

}  // namespace quasar::jobs
