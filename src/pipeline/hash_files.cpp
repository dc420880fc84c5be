#include "pipeline/hash_files.h"

#include <algorithm>

#include "pipeline/picture_files.h"

namespace quasar::pipeline {
namespace {

/// Files that are gone through before their hashes are handed on, for each worker.
constexpr std::size_t kFilesAhead = 16;

}  // namespace

void hash_files(std::span<const std::filesystem::path> files, bool poses, int workers,
                const std::function<void(const std::filesystem::path&, const HashedFile&)>& take) {
  PictureFiles pictures(
      static_cast<int>(std::clamp<std::size_t>(files.size(), 1, static_cast<std::size_t>(workers))));
  while (!files.empty()) {
    const auto block =
        files.first(std::min(files.size(), kFilesAhead * static_cast<std::size_t>(pictures.workers())));
    files = files.subspan(block.size());
    std::vector<HashedFile> hashed(block.size());
    pictures.for_each(block, [&](std::size_t place, PictureFile& picture) {
      auto& file = hashed[place];
      file.status = picture.status;
      file.error = std::move(picture.error);
      if (file.status != base::RowStatus::kOk) return;
      if (poses) {
        const auto all = image::pdq_hashes(picture.pixels, picture.width, picture.height, picture.channels);
        file.hashes.assign(all.begin(), all.end());
      } else {
        file.hashes = {image::pdq_hash(picture.pixels, picture.width, picture.height, picture.channels)};
      }
    });
    for (std::size_t i = 0; i < block.size(); ++i) take(block[i], hashed[i]);
  }
}

}  // namespace quasar::pipeline
