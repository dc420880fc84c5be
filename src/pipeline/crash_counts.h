// Owns RUN/state/crash_counts.jsonl: how often an image was being decoded when its process died, for images
// that do no harm when they are decoded alone. Memory that runs out, or a bug that needs other images beside
// it, must not stop every run.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

namespace quasar::pipeline {

struct CrashCount {
  std::string id;  ///< Of the item, to be sure that the row still is the same image.
  int shard = 0;
  int crashes = 0;  ///< A fatal signal came in the very thread that decoded it.
  int deaths = 0;   ///< Something else ended the process: a kill, lack of memory, a signal in another thread.
};

/// By row over the whole plan.
using CrashCounts = std::map<std::uint64_t, CrashCount>;

/// Why an image with such a count is not decoded any more; empty while it is. Two crashes are enough. Of
/// deaths, which innocent images see as well, more are needed.
std::string verdict_of(const CrashCount& count);

/// Changes the file while no other job does; the counts afterwards. A damaged file counts as none: it is
/// evidence, not a result.
CrashCounts update_crash_counts(const std::filesystem::path& state_folder,
                                const std::function<void(CrashCounts&)>& change);

}  // namespace quasar::pipeline
