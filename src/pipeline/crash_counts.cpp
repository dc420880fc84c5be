#include "pipeline/crash_counts.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.h"
#include "base/file_lock.h"
#include "base/logging.h"

namespace quasar::pipeline {
namespace {

constexpr const char* kFile = "crash_counts.jsonl";
constexpr const char* kLockFile = "crash_counts.lock";
constexpr int kCrashesAllowed = 1;
constexpr int kDeathsAllowed = 4;

std::string to_text(const CrashCounts& counts) {
  std::string text;
  for (const auto& [row, count] : counts) {
    const nlohmann::ordered_json line = {{"row", row},
                                         {"id", count.id},
                                         {"shard", count.shard},
                                         {"crashes", count.crashes},
                                         {"deaths", count.deaths}};
    text += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  return text;
}

CrashCounts read_counts(const std::filesystem::path& path) {
  CrashCounts counts;
  if (!std::filesystem::exists(path)) return counts;
  std::istringstream lines(base::read_file(path));
  try {
    for (std::string line; std::getline(lines, line);) {
      const auto json = nlohmann::json::parse(line);
      counts[json.at("row").get<std::uint64_t>()] = {
          json.at("id").get<std::string>(), json.at("shard").get<int>(), json.at("crashes").get<int>(),
          json.at("deaths").get<int>()};
    }
  } catch (const nlohmann::json::exception& error) {
    base::log_warning("{} is damaged and begun anew: {}", path.string(), error.what());
    counts.clear();
  }
  return counts;
}

}  // namespace

std::string verdict_of(const CrashCount& count) {
  if (count.crashes > kCrashesAllowed) {
    return fmt::format("decoding it ended {} processes with a fatal signal, though it decodes alone",
                       count.crashes);
  }
  if (count.deaths + count.crashes > kDeathsAllowed) {
    return fmt::format("{} processes died while they decoded it, though it decodes alone",
                       count.deaths + count.crashes);
  }
  return {};
}

CrashCounts update_crash_counts(const std::filesystem::path& state_folder,
                                const std::function<void(CrashCounts&)>& change) {
  const base::FileLock lock(state_folder / kLockFile);
  auto counts = read_counts(state_folder / kFile);
  change(counts);
  base::write_file_atomically(state_folder / kFile, to_text(counts));
  return counts;
}

}  // namespace quasar::pipeline
