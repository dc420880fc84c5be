#include "curation/outside_rows.h"

#include <fstream>
#include <string>
#include <vector>

#include "base/activity.h"
#include "base/errors.h"
#include "corpus/plan.h"
#include "curation/hash_line.h"
#include "store/embedding_shard.h"
#include "store/run_layout.h"

namespace quasar::curation {
namespace {

constexpr std::uint64_t kLinesAtOnce = 65536;
constexpr std::size_t kRowsAtOnce = 4096;

/// What is read at once: a shard of a run, or lines of a file.
struct Part {
  std::size_t set = 0;
  int shard = 0;
  std::uint64_t first_line = 0;
};

std::ifstream open(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) base::fail(base::ExitCode::kInput, "cannot read " + path.string());
  return file;
}

void list_parts(const std::filesystem::path& path, std::size_t set, std::vector<Part>& parts) {
  if (std::filesystem::is_directory(path)) {
    const auto plan = corpus::Plan::load(path);
    for (const auto& shard : plan.shards()) parts.push_back({set, shard.id, 0});
    return;
  }
  auto file = open(path);
  std::uint64_t lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    if (lines % kLinesAtOnce == 0) parts.push_back({set, 0, lines});
  }
}

/// HASH QUALITY PATH.
void take_line(const std::string& line, const std::string& where,
               const std::function<void(const Fingerprint&, std::string_view)>& take) {
  if (line.empty() || line == "\r") return;
  const auto parsed = parse_hash_line(line);
  if (!parsed) {
    base::fail(base::ExitCode::kInput,
               where +
                   ": is no line \"HASH QUALITY PATH\" with 64 lower-case hexadecimal digits and a quality "
                   "from 0 to 100, as \"quasar hash\" prints");
  }
  Fingerprint print;
  print.picture = parsed->picture;
  print.quality = parsed->quality;
  take(print, parsed->path);
}

void read_lines(const std::filesystem::path& path, std::uint64_t first,
                const std::function<void(const Fingerprint&, std::string_view)>& take) {
  auto file = open(path);
  std::string line;
  for (std::uint64_t at = 0; at < first + kLinesAtOnce && std::getline(file, line); ++at) {
    if (at >= first) take_line(line, path.string() + ":" + std::to_string(at + 1), take);
  }
}

void read_shard(const std::filesystem::path& run, int shard, const DuplicateRule& rule,
                const std::function<void(const Fingerprint&, std::string_view)>& take) {
  const auto path = store::DataSetLayout(run).shard(shard);
  const store::EmbeddingShardReader reader(path, store::Integrity::kRows);
  for (std::size_t first = 0; first < reader.size(); first += kRowsAtOnce) {
    for (const auto& row : reader.read_rows(first, std::min(kRowsAtOnce, reader.size() - first))) {
      if (row.status != base::RowStatus::kOk) continue;
      if (rule.perceptual && row.perceptual_quality < 0) {
        base::fail(
            base::ExitCode::kMismatch,
            path.string() + " has no perceptual hash of '" + row.id +
                "': embed that set with embed.perceptual_hash: true, or give its lines of \"quasar hash\"");
      }
      take(
          {row.hash, std::string_view(row.perceptual_hash).substr(0, kPictureDigits), row.perceptual_quality},
          row.id);
    }
    base::note_activity();
  }
}

}  // namespace

void for_each_outside(
    const DuplicateRule& rule, const comm::Communicator& comm,
    const std::function<void(std::size_t set, const Fingerprint& print, std::string_view name)>& take) {
  std::vector<Part> parts;
  for (std::size_t set = 0; set < rule.against.size(); ++set) list_parts(rule.against[set], set, parts);
  const auto rank = static_cast<std::size_t>(comm.rank());
  const auto ranks = static_cast<std::size_t>(comm.size());
  for (std::size_t i = parts.size() * rank / ranks; i < parts.size() * (rank + 1) / ranks; ++i) {
    const auto& part = parts[i];
    const auto& path = rule.against[part.set];
    const auto take_row = [&](const Fingerprint& print, std::string_view name) {
      take(part.set, print, name);
    };
    if (std::filesystem::is_directory(path)) {
      read_shard(path, part.shard, rule, take_row);
    } else {
      read_lines(path, part.first_line, take_row);
    }
  }
}

}  // namespace quasar::curation
