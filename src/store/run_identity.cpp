#include "store/run_identity.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/file_status.h"

namespace quasar::store {

bool has_identity(const RunLayout& run) {
  return std::filesystem::exists(base::file_status(run.identity()));
}

void write_identity(const RunLayout& run, const RunIdentity& identity) {
  base::write_file_atomically(run.identity(), nlohmann::json(identity).dump(1) + "\n");
}

void check_identity(const RunLayout& run, const RunIdentity& wanted) {
  const auto found = nlohmann::json::parse(base::read_file(run.identity()), nullptr, false);
  if (!found.is_object())
    base::fail(base::ExitCode::kInput, run.identity().string() + " is damaged: it is no JSON object");
  std::string differences;
  for (const auto& [key, value] : wanted) {
    if (found.contains(key) && found[key] == value) continue;
    differences +=
        fmt::format("\n  {}: the run has {}, the configuration {}", key,
                    found.contains(key) ? found[key].dump() : "nothing", nlohmann::json(value).dump());
  }
  if (differences.empty()) return;
  base::fail(base::ExitCode::kMismatch,
             fmt::format("the run directory {} was begun with other settings; use another run directory, or "
                         "set back:{}",
                         run.root().string(), differences));
}

}  // namespace quasar::store
