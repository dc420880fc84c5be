// Owns the pixels of files at their own size, decoded in worker processes, without a run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "cluster/thread_team.h"
#include "decode/worker_pool.h"

namespace quasar::pipeline {

/// A picture, or why there is none.
struct PictureFile {
  base::RowStatus status = base::RowStatus::kOk;
  std::string error;  ///< Empty when ok.
  int width = 0;      ///< As it was decoded.
  int height = 0;
  int channels = 0;                  ///< 3 (RGB), or 1 of a PGM.
  std::vector<std::uint8_t> pixels;  ///< [height, width, channels]; empty unless ok.
};

/// Reads pictures in `workers` processes and as many threads.
class PictureFiles {
 public:
  /// Throws Error where no worker can be started.
  explicit PictureFiles(int workers);

  int workers() const { return team_.size(); }
  /// Calls `work` with the place of each file and its picture, in no order and on several threads at once.
  /// Throws what `work` throws, and Error(kInterrupted) for a stop.
  void for_each(std::span<const std::filesystem::path> files,
                const std::function<void(std::size_t place, PictureFile& picture)>& work);

 private:
  PictureFile read(const std::filesystem::path& path, int worker);

  std::size_t max_bytes_;
  decode::WorkerPool pool_;
  cluster::ThreadTeam team_;
};

}  // namespace quasar::pipeline
