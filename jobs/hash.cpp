#include "job.h"

namespace quasar::jobs {

void register_hash(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<HashOptions>();
  auto* command = app.add_subcommand(
      "hash",
      "Print the perceptual hash (PDQ) of pictures, a line \"HASH QUALITY PATH\" each; those that look alike "
      "differ in up to 31 of 256 bits, and a quality below 50 is of a picture too flat to tell");
  command->add_option("FILE", options->files, "Pictures")->required();
  command->add_flag("--poses", options->poses,
                    "Eight lines for each: upright, turned by 90, 180, 270 degrees, and mirrored four ways");
  command->callback([options, engine, &chosen] { chosen = work_of(engine.hash, options); });
}

}  // namespace quasar::jobs
