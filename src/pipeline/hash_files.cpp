#include "pipeline/hash_files.h"

#include <algorithm>
#include <atomic>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/stop_signal.h"
#include "cluster/thread_team.h"
#include "decode/worker_pool.h"
#include "image/netpbm.h"

namespace quasar::pipeline {
namespace {

/// Files that are in memory at once, for each worker.
constexpr std::size_t kFilesAhead = 16;

std::vector<image::PdqHash> hashes_of(std::span<const std::uint8_t> pixels, int width, int height,
                                      int channels, bool poses) {
  if (!poses) return {image::pdq_hash(pixels, width, height, channels)};
  const auto all = image::pdq_hashes(pixels, width, height, channels);
  return {all.begin(), all.end()};
}

HashedFile hash_file(const std::filesystem::path& path, bool poses, std::size_t max_bytes, int worker,
                     decode::WorkerPool& pool) {
  HashedFile hashed;
  std::string bytes;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    hashed.status = base::RowStatus::kMissing;
    hashed.error = error ? error.message() : "there is no such file";
    return hashed;
  }
  try {
    bytes = base::read_file(path, max_bytes);
  } catch (const base::Error& failure) {
    hashed.status = base::RowStatus::kUnreadable;
    hashed.error = failure.what();
    return hashed;
  }
  const auto data = std::as_bytes(std::span(bytes));
  if (const auto plain = image::read_netpbm(data)) {
    hashed.hashes = hashes_of(plain->pixels, plain->width, plain->height, plain->channels, poses);
    return hashed;
  }
  const auto prepared = pool.decode(worker, {}, data);
  if (!prepared) base::fail(base::ExitCode::kInterrupted, base::stopped_message());
  hashed.status = prepared->status;
  hashed.error = prepared->error;
  if (hashed.status != base::RowStatus::kOk) return hashed;
  const auto& picture = prepared->image;
  hashed.hashes = hashes_of(picture.pixels, picture.width, picture.height, 3, poses);
  base::note_activity();
  return hashed;
}

}  // namespace

void hash_files(std::span<const std::filesystem::path> files, bool poses, int workers,
                const std::function<void(const std::filesystem::path&, const HashedFile&)>& take) {
  image::DecodeConfig decode;
  base::InputSpec native;
  native.resize = base::ResizeRule::kNone;
  native.center_crop = false;
  workers = static_cast<int>(std::clamp<std::size_t>(files.size(), 1, static_cast<std::size_t>(workers)));
  decode::WorkerPool pool({.decode = decode, .spec = native, .workers = workers});
  cluster::ThreadTeam team(workers);
  const auto max_bytes = static_cast<std::size_t>(decode.max_file_bytes);
  while (!files.empty()) {
    if (base::stop_requested()) base::fail(base::ExitCode::kInterrupted, base::stopped_message());
    const auto block = files.first(std::min(files.size(), kFilesAhead * static_cast<std::size_t>(workers)));
    files = files.subspan(block.size());
    std::vector<HashedFile> hashed(block.size());
    std::atomic<std::size_t> next{0};
    team.run([&](int worker) {
      for (std::size_t i = next++; i < block.size(); i = next++)
        hashed[i] = hash_file(block[i], poses, max_bytes, worker, pool);
    });
    for (std::size_t i = 0; i < block.size(); ++i) take(block[i], hashed[i]);
  }
}

}  // namespace quasar::pipeline
