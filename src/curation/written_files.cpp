#include "curation/written_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/atomic_file.h"
#include "base/await_file.h"
#include "base/checksum.h"
#include "base/errors.h"

namespace quasar::curation {
namespace {

constexpr std::uint64_t kSmall = std::uint64_t{64} << 20U;

}  // namespace

std::vector<std::string> check_written_files(const store::RunLayout& run, SumCheck check,
                                             const std::filesystem::path& only) {
  const auto summary_path = run.summary();
  if (!base::is_there_anew(summary_path)) return {};
  const auto summary = nlohmann::json::parse(base::read_file(summary_path), nullptr, false);
  if (!summary.is_object()) return {summary_path.string() + " is damaged: it is no JSON object"};
  std::vector<std::string> faults;
  const auto files = summary.value("files", nlohmann::json::object());
  for (const auto& [name, recorded] : files.items()) {
    const auto path = run.root() / name;
    if (!only.empty() && path != only) continue;
    if (!base::is_there_anew(path)) {
      faults.push_back(path.string() + " is missing, of which summary.json tells");
      continue;
    }
    const auto bytes = recorded.value("bytes", std::uint64_t{0});
    const bool whole = std::filesystem::file_size(path) == bytes &&
                       ((check == SumCheck::kSmall && bytes > kSmall) ||
                        base::xxh128_file(path, 0) == recorded.value("xxh128", ""));
    if (whole) continue;
    faults.push_back(path.string() +
                     " is not the file that summary.json sums up: a ranking ended between the two, two jobs "
                     "ranked the run, or it was changed; run \"quasar rank\" again");
  }
  return faults;
}

}  // namespace quasar::curation
