#include "job.h"

namespace quasar::jobs {

void register_copies(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<CopiesOptions>();
  auto* command = app.add_subcommand(
      "copies",
      "Measure which altered copies of your photos a search for duplicates finds, and how many distinct "
      "photos "
      "it takes for copies: 40 alterations (recompressed, cropped, framed, turned, ...), by hash and by an "
      "encoder's cosine");
  command->add_option("FOLDER", options->job.folders, "Folders of photos, each of something else")
      ->required()
      ->check(CLI::ExistingDirectory);
  command->add_option("--count", options->job.count, "Photos to alter, evenly spread")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command
      ->add_option("--distinct", options->job.distinct,
                   "Photos to compare with each other for false positives, evenly spread")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--bits", options->job.bits, "Thresholds of the hash, in bits of 256")
      ->delimiter(',')
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  command
      ->add_option("--encoder", options->encoder,
                   "Configuration file whose encoder is measured, too; without it hashes alone")
      ->type_name("CONFIG");
  command
      ->add_option(
          "--cosine", options->job.cosines,
          "Thresholds of the encoder's cosine; the configuration's (curation.duplicates.cosine) when "
          "not given")
      ->delimiter(',')
      ->check(CLI::Range(-1.0, 1.0));
  command->add_option("--set", options->overrides, "Override a key of CONFIG: --set encoder.weights=FILE")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
  command->add_option("--seed", options->job.seed, "Of the noise")->capture_default_str();
  command->add_option("--json", options->json,
                      "Write the figures, each alteration's among them, to this file");
  command->callback([options, engine, &chosen] { chosen = work_of(engine.copies, options); });
}

}  // namespace quasar::jobs
