// Internal to the module: where a ranking keeps its run files and the parts of its manifests.
#pragma once

#include <filesystem>

#include "comm/communicator.h"
#include "store/run_layout.h"

namespace quasar::curation {

/// A folder RUN/tmp/rank/JOB of this job alone, which goes away with the object. Construction is collective.
class ScratchFolder {
 public:
  /// The caller holds the run's lock of rankings, so that what else lies in RUN/tmp/rank was left by a job
  /// that was killed; it is removed, unless the process that made it lives on this machine.
  ScratchFolder(const store::RunLayout& run, const comm::Communicator& comm);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const comm::Communicator& comm_;
};

}  // namespace quasar::curation
