#include "comm/dispatch_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/stop_signal.h"

namespace quasar::comm {
namespace {

/// How long a rank may wait for one that has ended, seconds: so long may the others take to end with it.
constexpr double kEndTogether = 5;

constexpr const char* kContinues =
    "The job ends; what is finished is kept and the same command continues from it";

/// The lowest rank's that failed.
Outcome worst(const std::vector<std::optional<Outcome>>& outcomes) {
  for (const auto& outcome : outcomes) {
    if (outcome && outcome->code != base::ExitCode::kOk) return *outcome;
  }
  return {};
}

}  // namespace

DispatchState::DispatchState(std::vector<std::string> hosts)
    : hosts_(std::move(hosts)), ranks_(hosts_.size()), end_ids_(hosts_.size(), 0) {}

DispatchState::Pass& DispatchState::pass_of(std::int32_t number) {
  auto& pass = passes_[number];
  if (pass.rows.empty()) {
    pass.rows.resize(ranks_.size());
    pass.left.resize(ranks_.size());
    pass.ids.resize(ranks_.size());
  }
  return pass;
}

std::vector<Addressed> DispatchState::take(int rank, const Call& call) {
  auto& state = ranks_.at(static_cast<std::size_t>(rank));
  ++state.calls;
  state.last = call;
  stop_ = stop_ || call.stop;
  if (call.pass != 0) pass_of(call.pass).rows[static_cast<std::size_t>(rank)] = call.rows;
  switch (call.kind) {
    case CallKind::kPulse:
      return {{rank, {call.id, -1, stop_, {}}}};
    case CallKind::kTake:
      return {{rank, {call.id, next_shard(call), stop_, {}}}};
    case CallKind::kLeave:
      return leave(rank, call);
    case CallKind::kEnd:
      return end(rank, call);
    case CallKind::kGoodbye:
      state.gone = true;
      return {};
  }
  return {};
}

std::int64_t DispatchState::next_shard(const Call& call) {
  auto& pass = pass_of(call.pass);
  if (stop_ || pass.failing || pass.next >= call.shards) return -1;
  return pass.next++;
}

std::vector<Addressed> DispatchState::leave(int rank, const Call& call) {
  auto& pass = pass_of(call.pass);
  const auto place = static_cast<std::size_t>(rank);
  pass.left[place] = call.outcome;
  pass.ids[place] = call.id;
  if (call.outcome.code != base::ExitCode::kOk) pass.failing = true;
  if (!std::all_of(pass.left.begin(), pass.left.end(), [](const auto& left) { return left.has_value(); }))
    return {};
  auto outcome = worst(pass.left);
  // Told to all at once: a rank that learned of the stop only later would go on alone.
  if (outcome.code == base::ExitCode::kOk && stop_)
    outcome = {base::ExitCode::kInterrupted, base::stopped_message()};
  std::vector<Addressed> replies;
  for (std::size_t r = 0; r < ranks_.size(); ++r)
    replies.push_back({static_cast<int>(r), {pass.ids[r], -1, stop_, outcome}});
  return replies;
}

std::vector<Addressed> DispatchState::end(int rank, const Call& call) {
  const auto place = static_cast<std::size_t>(rank);
  ranks_[place].ended = true;
  ranks_[place].outcome = call.outcome;
  end_ids_[place] = call.id;
  if (!std::all_of(ranks_.begin(), ranks_.end(), [](const auto& r) { return r.ended; })) return {};
  std::vector<std::optional<Outcome>> outcomes;
  for (const auto& state : ranks_) outcomes.emplace_back(state.outcome);
  const auto outcome = worst(outcomes);
  std::vector<Addressed> replies;
  for (std::size_t r = 0; r < ranks_.size(); ++r)
    replies.push_back({static_cast<int>(r), {end_ids_[r], -1, stop_, outcome}});
  return replies;
}

std::string DispatchState::name(std::size_t rank) const {
  return fmt::format("rank {} on {}", rank, hosts_[rank]);
}

std::optional<Verdict> DispatchState::verdict_on(std::size_t rank, double awake, double limit) const {
  const auto& state = ranks_[rank];
  if (const double silent = awake - state.heard; silent > limit) {
    return Verdict{
        base::ExitCode::kStalled,
        fmt::format("{} has given no sign of life for {:.1f} s (embed.stall_timeout is {:g} s); its "
                    "last was in the phase \"{}\". {}",
                    name(rank), silent, limit, state.last.phase.empty() ? "start" : state.last.phase,
                    kContinues)};
  }
  if (state.ended || state.last.waiting) return {};
  if (const double idle = awake - state.active; idle > limit) {
    return Verdict{
        base::ExitCode::kStalled,
        fmt::format(
            "{} has got nothing done for {:.1f} s (embed.stall_timeout is {:g} s) in the phase \"{}\". {}",
            name(rank), idle, limit, state.last.phase, kContinues)};
  }
  return {};
}

std::optional<Verdict> DispatchState::verdict_on_all(double awake, double limit) const {
  const auto ended = std::find_if(ranks_.begin(), ranks_.end(), [](const auto& r) { return r.ended; });
  const bool all_ended = std::all_of(ranks_.begin(), ranks_.end(), [](const auto& r) { return r.ended; });
  if (all_ended) return {};
  double last_active = 0;
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    const auto& state = ranks_[r];
    last_active = std::max(last_active, state.active);
    if (ended == ranks_.end() || state.ended || !state.last.waiting) continue;
    if (awake - state.active <= kEndTogether) continue;
    const auto culprit = static_cast<std::size_t>(ended - ranks_.begin());
    if (ended->outcome.code != base::ExitCode::kOk)
      return Verdict{ended->outcome.code, ended->outcome.message};
    return Verdict{base::ExitCode::kInternal,
                   fmt::format("{} has ended, and {} still waits for it in the phase \"{}\"", name(culprit),
                               name(r), state.last.phase)};
  }
  const bool all_wait =
      std::all_of(ranks_.begin(), ranks_.end(), [](const auto& r) { return r.ended || r.last.waiting; });
  if (all_wait && ranks_.size() > 1 && awake - last_active > limit) {
    return Verdict{
        base::ExitCode::kStalled,
        fmt::format("all ranks have waited for one another for {:.1f} s (embed.stall_timeout is {:g} "
                    "s), {} in the phase \"{}\". {}",
                    awake - last_active, limit, name(0), ranks_[0].last.phase, kContinues)};
  }
  return {};
}

std::optional<Verdict> DispatchState::look(double awake, double limit) {
  for (auto& state : ranks_) {
    if (std::exchange(state.calls_seen, state.calls) != state.calls) state.heard = awake;
    if (std::exchange(state.activity_seen, state.last.activity) != state.last.activity || state.gone)
      state.active = awake;
  }
  // Whoever is not heard of comes first: what others wait for may be its part.
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    if (ranks_[r].gone) continue;
    if (auto verdict = verdict_on(r, awake, limit)) return verdict;
  }
  return verdict_on_all(awake, limit);
}

PassProgress DispatchState::progress(std::int32_t number) const {
  PassProgress progress;
  const auto found = passes_.find(number);
  if (found == passes_.end()) return progress;
  const auto& pass = found->second;
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    progress.rows += pass.rows[r];
    if (pass.left[r]) continue;
    if (progress.working++ == 0 || pass.rows[r] < progress.slowest_rows) {
      progress.slowest = static_cast<int>(r);
      progress.slowest_rows = pass.rows[r];
    }
  }
  return progress;
}

bool DispatchState::others_are_gone() const {
  return std::all_of(ranks_.begin() + 1, ranks_.end(), [](const auto& r) { return r.gone; });
}

}  // namespace quasar::comm
