#include "job.h"

namespace quasar::jobs {

void register_scenes(CLI::App& app, const EngineJobs& engine, Work& chosen) {
  auto options = std::make_shared<SceneOptions>();
  auto* command =
      app.add_subcommand("scenes", "Render a small corpus of synthetic scenes, some of them degraded");
  command->add_option("FOLDER", options->folder, "Folder to write to")->required();
  command->add_option("--count", options->count, "Number of pictures")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--width", options->width, "Pixels")
      ->check(CLI::Range(64, 8192))
      ->capture_default_str();
  command->add_option("--height", options->height, "Pixels")
      ->check(CLI::Range(64, 8192))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Same seed, same pictures")->capture_default_str();
  command->callback([options, engine, &chosen] { chosen = work_of(engine.scenes, options); });
}

}  // namespace quasar::jobs
