#include "curation/scratch_folder.h"

#include <string>
#include <system_error>
#include <vector>

#include "base/atomic_file.h"
#include "base/await_file.h"
#include "base/process_identity.h"

namespace quasar::curation {
namespace {

/// Removes what dead jobs left, also under the names of earlier versions.
void remove_stale(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> stale;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto maker = base::process_named_in("." + it->path().filename().string());
    if (base::look_at(maker) != base::ProcessLife::kAlive) stale.push_back(it->path());
  }
  for (const auto& path : stale) std::filesystem::remove_all(path, error);
}

}  // namespace

ScratchFolder::ScratchFolder(const store::RunLayout& run, const comm::Communicator& comm) : comm_(comm) {
  const auto all = run.rank_scratch();
  std::string name;
  comm_.on_root([&] {
    remove_stale(all);
    name = base::own_tag() + "." + std::to_string(base::own_process().started);
    base::make_directories(all / name);
  });
  comm_.broadcast(name);
  path_ = all / name;
  comm_.together([&] { base::await_file(path_); });
}

ScratchFolder::~ScratchFolder() {
  if (!comm_.is_root()) return;
  // After an error the other ranks remove their own files at the same time, over which a walk may fail.
  constexpr int kAttempts = 100;
  std::error_code failed;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::filesystem::remove_all(path_, failed);
    if (!failed) break;
  }
  // Only when nobody else uses them.
  std::filesystem::remove(path_.parent_path(), failed);
  std::filesystem::remove(path_.parent_path().parent_path(), failed);
}

}  // namespace quasar::curation
