#include "base/await_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "base/descriptor.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/process_identity.h"
#include "base/progress.h"

namespace quasar::base {
namespace {

using Clock = std::chrono::steady_clock;

void open_listing(const std::filesystem::path& folder) {
  DIR* const listing = ::opendir(folder.empty() ? "." : folder.c_str());
  if (listing == nullptr) return;
  ::readdir(listing);
  ::closedir(listing);
}

/// Whether it is there, or at least no longer said to be missing.
bool can_be_opened(const std::filesystem::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file.is_open() || (errno != ENOENT && errno != ENOTDIR && errno != ESTALE);
}

}  // namespace

void look_anew(const std::filesystem::path& path) {
  const auto folder = path.parent_path();
  if (folder.has_relative_path()) open_listing(folder.parent_path());
  open_listing(folder);
}

bool is_there_anew(const std::filesystem::path& path) {
  if (can_be_opened(path)) return true;
  look_anew(path);
  return can_be_opened(path);
}

void await_file(const std::filesystem::path& path, const AwaitOptions& options) {
  await_file(
      path, [&] { return can_be_opened(path); }, options);
}

void await_file(const std::filesystem::path& path, const std::function<bool()>& ready,
                const AwaitOptions& options) {
  constexpr std::chrono::milliseconds kWorthSaying{1'000};
  constexpr std::chrono::milliseconds kLongestPause{2'000};
  if (ready()) return;
  const auto begin = Clock::now();
  bool told = false;
  for (std::chrono::milliseconds pause{10};; pause = std::min(2 * pause, kLongestPause)) {
    look_anew(path);
    if (ready()) return;
    const auto waited = Clock::now() - begin;
    if (waited >= options.limit) break;
    if (waited >= kWorthSaying && !std::exchange(told, true)) {
      log_info("waiting for {}, which another rank has written and {} does not see yet", path.string(),
               host_name());
    }
    if (options.between) options.between();
    std::this_thread::sleep_for(std::min<Clock::duration>(pause, options.limit - waited));
  }
  fail(ExitCode::kInput,
       path.string() + ", which another rank of this job has written, was not seen on " + host_name() +
           " within " + human_duration(std::chrono::duration<double>(options.limit).count()) +
           ": either it was removed, or the run directory is not one file system for all hosts, or its mount "
           "remembers for longer what is not there (NFS: mount with lookupcache=positive or a shorter "
           "actimeo; FUSE: a shorter negative_timeout)");
}

}  // namespace quasar::base
