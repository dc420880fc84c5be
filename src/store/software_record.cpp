#include "store/software_record.h"

#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/file_status.h"

namespace quasar::store {

void write_software(const RunLayout& run, const Software& software) {
  base::write_file_atomically(run.software(), nlohmann::json(software).dump(1) + "\n");
}

Software read_software(const RunLayout& run) {
  Software software;
  if (!std::filesystem::exists(base::file_status(run.software()))) return software;
  const auto damaged = [&run] {
    base::fail(base::ExitCode::kInput,
               run.software().string() +
                   " is damaged: it is no JSON object of texts; \"quasar run\" writes "
                   "it anew when it is not there");
  };
  const auto found = nlohmann::json::parse(base::read_file(run.software()), nullptr, false);
  if (!found.is_object()) damaged();
  for (const auto& [name, version] : found.items()) {
    if (!version.is_string()) damaged();
    software[name] = version.get<std::string>();
  }
  return software;
}

}  // namespace quasar::store
