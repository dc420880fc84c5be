#include "pipeline/job_board.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/errors.h"
#include "pipeline/journal.h"
#include "pipeline/stop_signal.h"
#include "pipeline/watchdog.h"

namespace quasar::pipeline {
namespace {

/// Shortest time between two looks, in seconds, that counts as a halt of this process.
constexpr double kLeastHalt = 30;

enum Shared : int { kNextShard = 0, kRowsDone = 1, kStops = 2, kBeats = 3, kShared = 4 };
enum OfRank : int { kRows = 0, kSteps = 1, kFinished = 2, kOfRank = 3 };

int counter_of(int rank, OfRank which) {
  return kShared + rank * kOfRank + which;
}

double seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

/// What the rank's threads are at, the longest first.
std::string last_items(const std::filesystem::path& state_folder, int rank) {
  for (auto& journal : find_journals(state_folder)) {
    if (journal.rank != rank || !journal.alive || journal.in_flight.empty()) continue;
    const auto oldest = std::max_element(journal.in_flight.begin(), journal.in_flight.end(),
                                         [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
    return fmt::format("process {} on {} has been {} {} for {:.1f} s", journal.process, journal.host,
                       oldest->phase == Phase::kReading ? "reading" : "decoding", oldest->id,
                       oldest->seconds);
  }
  return "it is at no image: encoding, or reading or writing a shard";
}

}  // namespace

JobBoard::JobBoard(const comm::Communicator& comm)
    : rank_(comm.rank()), size_(comm.size()), counter_(comm, kShared + comm.size() * kOfRank) {}

std::int64_t JobBoard::take_shard() {
  return counter_.fetch_add(kNextShard, 1);
}

void JobBoard::take_all(std::int64_t shards) {
  counter_.fetch_add(kNextShard, shards);
}

void JobBoard::post(std::int64_t rows, std::int64_t steps) {
  if (rows > 0) {
    counter_.fetch_add(kRowsDone, rows);
    counter_.fetch_add(counter_of(rank_, kRows), rows);
  }
  if (steps > 0) counter_.fetch_add(counter_of(rank_, kSteps), steps);
}

void JobBoard::post_finished() {
  counter_.fetch_add(counter_of(rank_, kFinished), 1);
}

void JobBoard::post_stop() {
  counter_.fetch_add(kStops, 1);
}

bool JobBoard::stop_posted() {
  return counter_.fetch_add(kStops, 0) > 0;
}

void JobBoard::share_stop() {
  if (stop_requested() && !std::exchange(told_, true)) post_stop();
  if (stop_posted()) request_stop();
}

std::int64_t JobBoard::rows_done() {
  return counter_.fetch_add(kRowsDone, 0);
}

std::vector<RankProgress> JobBoard::ranks() {
  const auto values = counter_.read();
  std::vector<RankProgress> ranks;
  for (int r = 0; r < size_; ++r) {
    const auto value = [&](OfRank which) { return values[static_cast<std::size_t>(counter_of(r, which))]; };
    ranks.push_back({value(kRows), value(kSteps), value(kFinished) > 0});
  }
  return ranks;
}

void JobBoard::beat() {
  counter_.fetch_add(kBeats, 1);
}

std::int64_t JobBoard::beats() {
  return counter_.fetch_add(kBeats, 0);
}

StallWatch::StallWatch(JobBoard& board, std::filesystem::path state_folder, double stall_seconds, int rank)
    : board_(board),
      state_folder_(std::move(state_folder)),
      stall_seconds_(stall_seconds),
      watches_all_(rank == 0),
      start_(std::chrono::steady_clock::now()),
      looked_(start_) {}

void StallWatch::forget_if_halted() {
  // Looks come several times within the limit. A machine at its limit may delay them by seconds.
  if (seconds_since(looked_) > std::max(stall_seconds_ / 2, kLeastHalt)) seen_.clear();
  looked_ = std::chrono::steady_clock::now();
}

std::string StallWatch::silence_of(std::size_t rank, const RankProgress& progress) {
  if (progress.finished) return {};
  Seen& seen = seen_[rank];
  if (progress.steps != seen.steps) {
    seen = {progress.steps, std::chrono::steady_clock::now()};
    return {};
  }
  const double silent = seconds_since(seen.since);
  if (silent <= stall_seconds_) return {};
  return fmt::format(
      "rank {} has {} for {:.1f} s (embed.stall_timeout is {:g} s): {}. The job ends; "
      "finished shards are kept and the same command continues from them",
      rank, watches_all_ ? "got nothing done" : "given no sign of life", silent, stall_seconds_,
      last_items(state_folder_, static_cast<int>(rank)));
}

void StallWatch::note_slowest(const std::vector<RankProgress>& ranks) {
  const auto working = std::count_if(ranks.begin(), ranks.end(), [](const auto& r) { return !r.finished; });
  std::size_t slowest = 0;
  for (std::size_t r = 1; r < ranks.size(); ++r) {
    if (!ranks[r].finished && (ranks[slowest].finished || ranks[r].rows < ranks[slowest].rows)) slowest = r;
  }
  const std::scoped_lock lock(mutex_);
  slowest_ =
      working < 2
          ? ""
          : fmt::format("slowest rank {}: {:.1f}/s", slowest,
                        static_cast<double>(ranks[slowest].rows) / std::max(seconds_since(start_), 1e-3));
}

std::string StallWatch::verdict() {
  forget_if_halted();
  if (watches_all_) board_.beat();
  const auto ranks = watches_all_ ? board_.ranks() : std::vector{RankProgress{0, board_.beats(), false}};
  seen_.resize(ranks.size());
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    if (auto said = silence_of(r, ranks[r]); !said.empty()) return said;
  }
  if (watches_all_) note_slowest(ranks);
  return {};
}

void StallWatch::look() {
  if (const auto said = verdict(); !said.empty()) end_job(static_cast<int>(base::ExitCode::kStalled), said);
}

std::string StallWatch::slowest() {
  const std::scoped_lock lock(mutex_);
  return slowest_;
}

PeerWatch::PeerWatch(JobBoard& board, std::filesystem::path state_folder, double stall_seconds, int rank)
    : rank_(rank),
      stall_seconds_(stall_seconds),
      stalls_(board, std::move(state_folder), stall_seconds, rank) {}

bool PeerWatch::is_due() {
  // Rank 0 looks always; the others less often, as all of them ask one process.
  constexpr double kLooksPerLimit = 20;
  const auto now = std::chrono::steady_clock::now();
  if (rank_ != 0 && std::chrono::duration<double>(now - asked_).count() < stall_seconds_ / kLooksPerLimit)
    return false;
  asked_ = now;
  return true;
}

void PeerWatch::look() {
  if (is_due()) stalls_.look();
  ++looks_;
}

void PeerWatch::look_after() {
  const auto looks = looks_.load();
  unanswered_ = looks == looks_seen_ ? unanswered_ + 1 : 0;
  looks_seen_ = looks;
  const double seconds = std::chrono::duration<double>(kWatchPeriod * unanswered_).count();
  if (seconds <= stall_seconds_) return;
  end_job(
      static_cast<int>(base::ExitCode::kStalled),
      fmt::format("rank 0, or the way to it, has not answered rank {} for {:.1f} s (embed.stall_timeout is "
                  "{:g} s). The job ends; finished shards are kept and the same command continues from them",
                  rank_, seconds, stall_seconds_));
}

}  // namespace quasar::pipeline
