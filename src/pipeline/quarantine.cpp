#include "pipeline/quarantine.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/file_lock.h"
#include "base/logging.h"
#include "pipeline/crash_counts.h"
#include "pipeline/journal.h"
#include "pipeline/probe.h"

namespace quasar::pipeline {
namespace {

constexpr const char* kFile = "quarantine.jsonl";
constexpr const char* kLockFile = "quarantine.lock";

struct Suspect {
  std::uint64_t row = 0;
  int shard = 0;
  bool overdue = false;
  bool again = false;  ///< Its verdict is asked to be forgotten.
  int crashes = 0;     ///< As in CrashCount, by the journals found now.
  int deaths = 0;
};

std::string to_text(const Quarantine& quarantine) {
  std::string text;
  for (const auto& [row, verdict] : quarantine) {
    const nlohmann::ordered_json line = {{"row", row},
                                         {"id", verdict.id},
                                         {"status", base::status_name(verdict.status)},
                                         {"error", verdict.error}};
    text += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  }
  return text;
}

/// `where` names the text in messages.
Quarantine from_text(const std::string& text, const std::string& where) {
  Quarantine quarantine;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    const auto text_of = [&](const char* key) {
      if (!json.is_object() || !json.contains(key)) return std::optional<std::string>("");
      return json[key].is_string() ? std::optional(json[key].get<std::string>()) : std::nullopt;
    };
    const auto id = text_of("id");
    const auto error = text_of("error");
    const auto status = base::status_from_name(text_of("status").value_or(""));
    if (!status || !id || !error || !json.contains("row") || !json["row"].is_number_unsigned()) {
      base::fail(base::ExitCode::kInput,
                 where + ":" + std::to_string(number) +
                     ": no row under quarantine; each line is an object with row, id, status and error");
    }
    quarantine[json["row"].get<std::uint64_t>()] = {*id, *status, *error};
  }
  return quarantine;
}

/// Images that were in a decoder when their process died, each once; in `journals`, those of no other part.
std::vector<Suspect> find_suspects(const SuspectJob& job, const Quarantine& known,
                                   std::vector<std::filesystem::path>& journals) {
  std::map<std::uint64_t, Suspect> suspects;
  for (const int id : job.missing_shards) {
    const auto& shard = job.plan.shards()[static_cast<std::size_t>(id)];
    for (auto it = known.lower_bound(shard.first); it != known.end() && it->first < shard.first + shard.count;
         ++it) {
      if (job.retry && job.retry->covers(it->second.status))
        suspects[it->first] = {it->first, id, false, true, 0, 0};
    }
  }
  for (const auto& journal : find_journals(job.state_folder)) {
    if (journal.alive) continue;
    bool ours = true;
    const bool has_culprit = std::any_of(journal.in_flight.begin(), journal.in_flight.end(),
                                         [](const auto& entry) { return entry.phase == Phase::kCrashed; });
    for (const auto& entry : journal.in_flight) {
      if (!job.part.holds(entry.shard)) ours = false;
      if (entry.phase == Phase::kReading) continue;
      if (known.contains(entry.row) || std::find(job.missing_shards.begin(), job.missing_shards.end(),
                                                 entry.shard) == job.missing_shards.end())
        continue;
      const auto& shard = job.plan.shards()[static_cast<std::size_t>(entry.shard)];
      if (entry.row < shard.first || entry.row >= shard.first + shard.count) continue;
      const auto item = job.plan.read_items(shard)[entry.row - shard.first];
      if (item.id.substr(0, kJournalIdBytes) != entry.id) continue;
      auto& suspect = suspects[entry.row];
      suspect.row = entry.row;
      suspect.shard = entry.shard;
      suspect.overdue = suspect.overdue || entry.phase == Phase::kOverdue;
      if (entry.phase == Phase::kCrashed) ++suspect.crashes;
      // A process that was asked to stop and then killed tells nothing about its images.
      if (entry.phase == Phase::kDecoding && !has_culprit && !journal.asked_to_stop) ++suspect.deaths;
    }
    if (ours) journals.push_back(journal.path);
  }
  std::vector<Suspect> list;
  list.reserve(suspects.size());
  for (const auto& [row, suspect] : suspects) list.push_back(suspect);
  return list;
}

/// Verdicts on the suspects that fall to this rank.
Quarantine examine(const SuspectJob& job, const std::vector<Suspect>& suspects,
                   const comm::Communicator& comm) {
  Quarantine verdicts;
  std::vector<corpus::Item> items;
  std::vector<std::uint64_t> rows;
  for (std::size_t i = static_cast<std::size_t>(comm.rank()); i < suspects.size();
       i += static_cast<std::size_t>(comm.size())) {
    const auto& suspect = suspects[i];
    const auto& shard = job.plan.shards()[static_cast<std::size_t>(suspect.shard)];
    auto item = job.plan.read_items(shard)[suspect.row - shard.first];
    if (suspect.overdue) {
      verdicts[suspect.row] = {item.id, base::RowStatus::kTimedOut, hung_message()};
      continue;
    }
    rows.push_back(suspect.row);
    items.push_back(std::move(item));
  }
  const auto outcomes = probe_items(items, job.decode, job.spec);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].status != base::RowStatus::kOk)
      verdicts[rows[i]] = {items[i].id, outcomes[i].status, outcomes[i].error};
  }
  return verdicts;
}

/// Adds what the journals told of the suspects to what is on record, and gives a verdict on those that decode
/// alone but were in too many processes that died. `verdicts` are those of examine().
void count_crashes(const SuspectJob& job, const std::vector<Suspect>& suspects, Quarantine& verdicts) {
  std::vector<char> missing(job.plan.shards().size(), 0);
  for (const int id : job.missing_shards) missing[static_cast<std::size_t>(id)] = 1;
  update_crash_counts(job.state_folder, [&](CrashCounts& counts) {
    for (const auto& suspect : suspects) {
      const auto& shard = job.plan.shards()[static_cast<std::size_t>(suspect.shard)];
      const auto id = job.plan.read_items(shard)[suspect.row - shard.first].id;
      auto& count = counts[suspect.row];
      if (suspect.again || count.id != id) count = {id, suspect.shard, 0, 0};
      count.crashes += suspect.crashes;
      count.deaths += suspect.deaths;
      if (const auto error = verdict_of(count); !error.empty() && !verdicts.contains(suspect.row))
        verdicts[suspect.row] = {id, base::RowStatus::kCrashed, error};
    }
    // What is under quarantine, or came through, needs no count.
    std::erase_if(counts, [&](const auto& entry) {
      const auto shard = static_cast<std::size_t>(entry.second.shard);
      if (shard >= missing.size() || entry.second.crashes + entry.second.deaths == 0) return true;
      return job.part.holds(entry.second.shard) && (missing[shard] == 0 || verdicts.contains(entry.first));
    });
  });
}

}  // namespace

Quarantine read_quarantine(const std::filesystem::path& state_folder) {
  const auto path = state_folder / kFile;
  if (!std::filesystem::exists(path)) return {};
  return from_text(base::read_file(path), path.string());
}

Quarantine update_quarantine(const std::filesystem::path& state_folder,
                             const std::function<void(Quarantine&)>& change) {
  const base::FileLock lock(state_folder / kLockFile);
  Quarantine quarantine = read_quarantine(state_folder);
  change(quarantine);
  base::write_file_atomically(state_folder / kFile, to_text(quarantine));
  return quarantine;
}

Quarantine settle_suspects(const SuspectJob& job, const comm::Communicator& comm) {
  Quarantine quarantine;
  std::vector<Suspect> suspects;
  std::vector<std::filesystem::path> journals;
  comm.on_root([&] {
    quarantine = read_quarantine(job.state_folder);
    suspects = find_suspects(job, quarantine, journals);
    if (!suspects.empty()) {
      base::log_info("{} images may have ended an earlier process; each is tried alone first",
                     suspects.size());
    }
  });
  comm.broadcast(suspects);
  std::string verdicts;
  comm.together([&] { verdicts = to_text(examine(job, suspects, comm)); });
  const auto gathered = comm.gather(verdicts);
  std::string whole;
  comm.on_root([&] {
    Quarantine found;
    for (const auto& text : gathered) found.merge(from_text(text, "a rank's verdicts"));
    if (!suspects.empty()) count_crashes(job, suspects, found);
    for (const auto& [row, verdict] : found)
      base::log_warning("{} is under quarantine: {}", verdict.id, verdict.error);
    if (!suspects.empty()) {
      quarantine = update_quarantine(job.state_folder, [&](Quarantine& all) {
        for (const auto& suspect : suspects) all.erase(suspect.row);
        for (const auto& [row, verdict] : found) all[row] = verdict;
      });
    }
    // Only now: a process that dies before this point leaves the evidence to the next one.
    for (const auto& path : journals) std::filesystem::remove(path);
    whole = to_text(quarantine);
  });
  comm.broadcast(whole);
  return from_text(whole, "the quarantine");
}

}  // namespace quasar::pipeline
