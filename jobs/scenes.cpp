#include "distort/scenes.h"

#include <fmt/format.h>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/random.h"
#include "distort/distortions.h"
#include "distort/write_image.h"
#include "job.h"

namespace quasar::jobs {
namespace {

struct SceneOptions {
  std::filesystem::path folder;
  int count = 60;
  int width = 512;
  int height = 384;
  std::uint64_t seed = 1;
};

/// Two of three pictures are degraded by a kind and level drawn from the seed; the name says which.
void render(const SceneOptions& options, int index) {
  const std::uint64_t seed = base::derive_seed(options.seed, static_cast<std::uint64_t>(index));
  base::Random random(seed);
  auto picture = distort::render_scene(options.width, options.height, seed);
  std::string suffix = "pristine";
  if (index % 3 != 0) {
    const auto table = distort::distortion_table();
    const auto& info = table[random.below(table.size())];
    const int level = 2 + static_cast<int>(random.below(4));
    picture = distort::distort(picture, info.kind, level, random.next());
    suffix = fmt::format("{}-{}", info.name, level);
  }
  distort::write_png(picture, options.folder / fmt::format("scene-{:04}-{}.png", index, suffix));
}

}  // namespace

void register_scenes(CLI::App& app, Work& chosen) {
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
  command->callback([options, &chosen] {
    chosen = [options](const comm::Communicator& comm) {
      comm.on_root([&] { base::make_directories(options->folder); });
      comm.together([&] {
        for (int i = comm.rank(); i < options->count; i += comm.size()) {
          render(*options, i);
          base::note_activity();
        }
      });
      if (comm.is_root()) base::log_info("{} pictures are in {}", options->count, options->folder.string());
    };
  });
}

}  // namespace quasar::jobs
