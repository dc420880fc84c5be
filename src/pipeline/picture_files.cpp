#include "pipeline/picture_files.h"

#include <atomic>
#include <utility>

#include "base/activity.h"
#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/stop_signal.h"
#include "image/netpbm.h"

namespace quasar::pipeline {
namespace {

base::InputSpec native_size() {
  base::InputSpec spec;
  spec.resize = base::ResizeRule::kNone;
  spec.center_crop = false;
  return spec;
}

}  // namespace

PictureFiles::PictureFiles(int workers)
    : max_bytes_(static_cast<std::size_t>(image::DecodeConfig{}.max_file_bytes)),
      pool_({.decode = {}, .spec = native_size(), .workers = workers}),
      team_(workers) {}

PictureFile PictureFiles::read(const std::filesystem::path& path, int worker) {
  PictureFile picture;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    picture.status = base::RowStatus::kMissing;
    picture.error = error ? error.message() : "there is no such file";
    return picture;
  }
  std::string bytes;
  try {
    bytes = base::read_file(path, max_bytes_);
  } catch (const base::Error& failure) {
    picture.status = base::RowStatus::kUnreadable;
    picture.error = failure.what();
    return picture;
  }
  const auto data = std::as_bytes(std::span(bytes));
  if (const auto plain = image::read_netpbm(data)) {
    picture.width = plain->width;
    picture.height = plain->height;
    picture.channels = plain->channels;
    picture.pixels.assign(plain->pixels.begin(), plain->pixels.end());
    return picture;
  }
  auto prepared = pool_.decode(worker, {}, data);
  if (!prepared) base::fail(base::ExitCode::kInterrupted, base::stopped_message());
  picture.status = prepared->status;
  picture.error = std::move(prepared->error);
  if (picture.status != base::RowStatus::kOk) return picture;
  picture.width = prepared->image.width;
  picture.height = prepared->image.height;
  picture.channels = 3;
  picture.pixels.assign(prepared->image.pixels.begin(), prepared->image.pixels.end());
  return picture;
}

void PictureFiles::for_each(std::span<const std::filesystem::path> files,
                            const std::function<void(std::size_t, PictureFile&)>& work) {
  std::atomic<std::size_t> next{0};
  team_.run([&](int worker) {
    for (std::size_t i = next++; i < files.size(); i = next++) {
      base::end_if_stopped();
      auto picture = read(files[i], worker);
      work(i, picture);
      base::note_activity();
    }
  });
}

}  // namespace quasar::pipeline
