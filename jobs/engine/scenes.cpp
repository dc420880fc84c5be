#include "distort/scenes.h"

#include <fmt/format.h>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/logging.h"
#include "base/random.h"
#include "distort/distortions.h"
#include "distort/write_image.h"
#include "engine/engine.h"

namespace quasar::jobs {
namespace {

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

void scenes(const SceneOptions& options, const comm::Communicator& comm) {
  comm.on_root([&] { base::make_directories(options.folder); });
  comm.together([&] {
    for (int i = comm.rank(); i < options.count; i += comm.size()) {
      render(options, i);
      base::note_activity();
    }
  });
  if (comm.is_root()) base::log_info("{} pictures are in {}", options.count, options.folder.string());
}

}  // namespace quasar::jobs
