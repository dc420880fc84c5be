#include "pipeline/hash_files.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/errors.h"
#include "base/progress.h"
#include "comm/cores.h"
#include "engine/engine.h"

namespace quasar::jobs {

void hash(const HashOptions& options, const comm::Communicator& comm) {
  const int workers = comm::cores_of_rank(comm);
  comm.on_root([&] {
    std::size_t failed = 0;
    pipeline::hash_files(options.files, options.poses, workers,
                         [&](const std::filesystem::path& path, const pipeline::HashedFile& file) {
                           for (const auto& found : file.hashes)
                             fmt::print("{} {} {}\n", found.hex(), found.quality, path.string());
                           if (file.status == base::RowStatus::kOk) return;
                           ++failed;
                           fmt::print(stderr, "quasar: {}: {}: {}\n", path.string(),
                                      base::status_name(file.status), file.error);
                         });
    std::fflush(stdout);
    if (failed == options.files.size()) {
      base::fail(base::ExitCode::kNoResult,
                 fmt::format("not one of {} could be hashed", base::counted(failed, "file")));
    }
  });
}

}  // namespace quasar::jobs
