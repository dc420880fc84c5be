#include "job.h"

namespace quasar::jobs {

void register_agreement(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<AgreementOptions>();
  auto* command = app.add_subcommand(
      "agreement",
      "Measure how far an anchor set agrees with people: render 25 distortions of photos, score, compare");
  add_config_options(*command, *options);
  command
      ->add_option("--photos", options->job.photos,
                   "Folder of good photos that anchors and encoder have not seen")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--count", options->job.count, "Photos to take, evenly spread")
      ->check(CLI::Range(2, 1000000))
      ->capture_default_str();
  command->add_option("--seed", options->job.seed, "Of the distortions")->capture_default_str();
  command->add_option("--anchors", options->anchors, "Anchor set to measure; the first when not given");
  command
      ->add_option("--unseen", options->unseen,
                   "Kinds to report apart, as the encoder was not trained on them")
      ->delimiter(',');
  command->callback([options, engine, &chosen] { chosen = work_of(engine.agreement, options); });
}

}  // namespace quasar::jobs
