#include "comm/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/activity.h"
#include "base/stop_signal.h"
#include "comm/dispatch_channel.h"

namespace quasar::comm {
namespace {

using std::chrono::steady_clock;

/// Sleep between two looks for letters: short after one, as more may follow, then ever longer.
constexpr auto kShortestSleep = std::chrono::microseconds(50);
constexpr auto kLongestSleep = std::chrono::microseconds(2000);

}  // namespace

Dispatcher::Waiting::~Waiting() {
  --dispatcher_.waiting_;
  base::note_activity();
}

Dispatcher::Dispatcher(int rank, std::vector<std::string> hosts, std::unique_ptr<Channel> channel)
    : rank_(rank), hosts_(std::move(hosts)), channel_(std::move(channel)), state_(hosts_) {
  if (channel_) thread_ = std::thread([this] { run(); });
}

Dispatcher::~Dispatcher() {
  if (!channel_) return;
  {
    const std::scoped_lock lock(mutex_);
    if (!is_root()) outbox_.push_back({0, to_bytes(make_call(CallKind::kGoodbye))});
    closing_ = true;
  }
  to_send_.notify_all();
  const Waiting waiting(*this);
  thread_.join();
}

std::chrono::milliseconds Dispatcher::pulse_period() const {
  // Often enough that a delay is not taken for silence, and that a stop is soon everyone's; not so often that
  // many ranks keep rank 0 busy.
  const double fraction = limit_ * 1000 / 20;
  const double fair = std::max(200.0, static_cast<double>(hosts_.size()));
  return std::chrono::milliseconds(static_cast<int>(std::clamp(std::min(fraction, fair), 10.0, 1000.0)));
}

Call Dispatcher::make_call(CallKind kind) {
  Call call;
  call.kind = kind;
  call.id = ++calls_;
  call.pass = pass_;
  call.shards = shards_;
  call.rows = rows_;
  call.activity = base::activity();
  call.waiting = waiting();
  call.stop = base::stop_requested();
  call.phase = base::current_phase();
  return call;
}

void Dispatcher::handle(int rank, const Call& call) {
  for (auto& [to, reply] : state_.take(rank, call)) {
    if (to == 0) {
      ++heard_;
      replies_[reply.id] = std::move(reply);
      answered_.notify_all();
    } else {
      outbox_.push_back({to, to_bytes(reply)});
    }
  }
  if (state_.stop_wanted()) base::request_stop();
}

Reply Dispatcher::ask(Call call) {
  const Waiting waiting(*this);
  call.waiting = true;
  std::unique_lock lock(mutex_);
  const auto id = call.id;
  if (is_root()) {
    handle(0, call);
  } else {
    outbox_.push_back({0, to_bytes(call)});
  }
  to_send_.notify_all();
  // Without end: who watches this process ends it when the answer does not come.
  answered_.wait(lock, [&] { return replies_.contains(id); });
  return replies_.extract(id).mapped();
}

void Dispatcher::begin_pass(std::int64_t shards) {
  shards_ = shards;
  rows_ = 0;
  ++pass_;
}

std::optional<std::int64_t> Dispatcher::take() {
  const auto reply = ask(make_call(CallKind::kTake));
  return reply.shard < 0 ? std::nullopt : std::optional(reply.shard);
}

Outcome Dispatcher::leave(const Outcome& outcome) {
  auto call = make_call(CallKind::kLeave);
  call.outcome = outcome;
  return ask(std::move(call)).outcome;
}

Outcome Dispatcher::end(const Outcome& outcome) {
  auto call = make_call(CallKind::kEnd);
  call.outcome = outcome;
  return ask(std::move(call)).outcome;
}

PassProgress Dispatcher::progress() {
  auto pulse = make_call(CallKind::kPulse);
  const std::scoped_lock lock(mutex_);
  handle(0, pulse);
  replies_.erase(pulse.id);
  return state_.progress(pass_);
}

std::optional<Verdict> Dispatcher::look(double awake) {
  const std::scoped_lock lock(mutex_);
  if (!broken_.empty()) return Verdict{base::ExitCode::kStalled, broken_};
  if (is_root()) {
    if (!channel_) {
      const auto pulse = make_call(CallKind::kPulse);
      handle(0, pulse);
      replies_.erase(pulse.id);
    }
    return state_.look(awake, limit_);
  }
  if (std::exchange(heard_seen_, heard_) != heard_ || heard_at_ == 0) heard_at_ = awake;
  if (awake - heard_at_ <= limit_) return {};
  return Verdict{
      base::ExitCode::kStalled,
      fmt::format(
          "rank 0 on {}, or the way to it, has not answered rank {} on {} for {:.1f} s "
          "(embed.stall_timeout is {:g} s) in the phase \"{}\". The job ends; what is finished is kept "
          "and the same command continues from it",
          hosts_[0], rank_, hosts_[static_cast<std::size_t>(rank_)], awake - heard_at_, limit_.load(),
          base::current_phase())};
}

void Dispatcher::receive(int from, std::string_view bytes) {
  if (is_root()) {
    handle(from, call_from_bytes(bytes));
    return;
  }
  auto reply = reply_from_bytes(bytes);
  ++heard_;
  if (reply.stop) base::request_stop();
  // Nobody waits for the answer to a pulse, which has number 0 for a rank's own thread.
  if (reply.id == 0) return;
  replies_[reply.id] = std::move(reply);
  answered_.notify_all();
}

bool Dispatcher::may_close() const {
  return closing_ && outbox_.empty() && (!is_root() || state_.others_are_gone());
}

void Dispatcher::run() {
  try {
    auto sleep = kShortestSleep;
    auto last_pulse = steady_clock::now();
    bool closed = false;
    while (!closed) {
      bool busy = false;
      // MPI is never called with the lock held: it may hang, and who watches has to be able to say so.
      while (const auto letter = channel_->receive()) {
        const std::scoped_lock lock(mutex_);
        receive(letter->first, letter->second);
        busy = true;
      }
      std::unique_lock lock(mutex_);
      const auto now = steady_clock::now();
      if (now - last_pulse >= pulse_period()) {
        last_pulse = now;
        auto pulse = make_call(CallKind::kPulse);
        pulse.id = 0;
        if (is_root()) {
          handle(0, pulse);
          replies_.erase(0);
        } else if (!closing_) {
          outbox_.push_back({0, to_bytes(pulse)});
        }
      }
      closed = may_close();
      auto letters = std::exchange(outbox_, {});
      lock.unlock();
      for (auto& letter : letters) {
        channel_->send(letter.rank, std::move(letter.bytes));
        busy = true;
      }
      if (!channel_->all_sent()) closed = false;
      sleep = busy ? kShortestSleep : std::min(2 * sleep, kLongestSleep);
      lock.lock();
      if (!closed && !busy) to_send_.wait_for(lock, sleep, [&] { return !outbox_.empty(); });
    }
    channel_->close();
  } catch (const std::exception& error) {
    const std::scoped_lock lock(mutex_);
    broken_ = fmt::format("rank {} on {}: {}", rank_, hosts_[static_cast<std::size_t>(rank_)], error.what());
  }
}

}  // namespace quasar::comm
