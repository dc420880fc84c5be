#include "pipeline/hash_files.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "base/errors.h"
#include "base/progress.h"
#include "comm/cores.h"
#include "engine/engine.h"

namespace quasar::jobs {
namespace {

/// A path in one line: of line breaks the %0A and %0D.
std::string in_a_line(const std::filesystem::path& path) {
  std::string text;
  for (const char c : path.string()) {
    if (c == '\n' || c == '\r') {
      text += c == '\n' ? "%0A" : "%0D";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace

void hash(const HashOptions& options, const comm::Communicator& comm) {
  const int workers = comm::cores_of_rank(comm);
  comm.on_root([&] {
    std::size_t failed = 0;
    pipeline::hash_files(options.files, options.poses, workers,
                         [&](const std::filesystem::path& path, const pipeline::HashedFile& file) {
                           for (const auto& found : file.hashes)
                             fmt::print("{} {} {}\n", found.hex(), found.quality, in_a_line(path));
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
