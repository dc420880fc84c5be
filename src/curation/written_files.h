// Owns the tie between summary.json and the files that it sums up: summary.json is written last and holds
// their sizes and checksums, so that files of two rankings that got mixed are told apart.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "store/run_layout.h"

namespace quasar::curation {

/// A written file, without what depends on the time.
struct FileSum {
  std::uint64_t bytes = 0;
  std::string xxh128;
};

/// By name in the run directory.
using WrittenFiles = std::map<std::string, FileSum>;

/// Which files are read for their checksum.
enum class SumCheck {
  kAll,    ///< Every file, whatever its size.
  kSmall,  ///< Those of up to 64 MiB; of larger ones only the size is compared.
};

/// What is not as RUN/summary.json says, a line for each file; empty when all is well, and without a
/// summary.json, or with one of an earlier version that says nothing. Throws Error(kInput) when a file cannot
/// be read. `only`: that file in RUN alone is looked at.
std::vector<std::string> check_written_files(const store::RunLayout& run, SumCheck check,
                                             const std::filesystem::path& only = {});

}  // namespace quasar::curation
