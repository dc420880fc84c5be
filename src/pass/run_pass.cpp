#include "pass/run_pass.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/activity.h"
#include "base/progress.h"
#include "comm/dispatcher.h"
#include "pass/ticker.h"

namespace quasar::pass {
namespace {

constexpr auto kTick = std::chrono::milliseconds(200);

class DispatchedFeed final : public ShardFeed {
 public:
  explicit DispatchedFeed(comm::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}
  std::optional<std::size_t> next() override {
    const auto place = dispatcher_.take();
    return place ? std::optional(static_cast<std::size_t>(*place)) : std::nullopt;
  }
  void add_done(std::uint64_t units) override {
    dispatcher_.add_rows(static_cast<std::int64_t>(units));
    base::note_activity();
  }

 private:
  comm::Dispatcher& dispatcher_;
};

/// Rank 0's progress line, for the whole job.
class JobProgress {
 public:
  JobProgress(const PassJob& job, comm::Dispatcher& dispatcher)
      : done_before_(job.done_before),
        dispatcher_(dispatcher),
        start_(std::chrono::steady_clock::now()),
        progress_(job.name, job.unit, job.total, job.brief) {
    progress_.update(done_before_);
  }

  void update() {
    const auto now = dispatcher_.progress();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    const auto note = now.working < 2
                          ? std::string()
                          : fmt::format("slowest rank {}: {:.1f}/s", now.slowest,
                                        static_cast<double>(now.slowest_rows) / std::max(seconds, 1e-3));
    progress_.update(done_before_ + static_cast<std::uint64_t>(now.rows), note);
  }

  void finish() {
    update();
    progress_.finish();
  }

 private:
  const std::uint64_t done_before_;
  comm::Dispatcher& dispatcher_;
  const std::chrono::steady_clock::time_point start_;
  base::Progress progress_;
};

}  // namespace

void run_pass(const PassJob& job, const comm::Communicator& comm,
              const std::function<void(ShardFeed&)>& work) {
  const base::Phase phase(job.name);
  auto& dispatcher = comm.dispatcher();
  dispatcher.begin_pass(static_cast<std::int64_t>(job.shards));
  std::optional<JobProgress> progress;
  if (comm.is_root() && !job.unit.empty()) progress.emplace(job, dispatcher);
  comm::Outcome outcome;
  {
    const Ticker ticker(kTick, [&] {
      if (progress) progress->update();
      if (job.tick) job.tick();
    });
    DispatchedFeed feed(dispatcher);
    outcome = dispatcher.leave(comm.attempt([&] { work(feed); }));
  }
  if (progress) progress->finish();
  if (outcome.code != base::ExitCode::kOk) throw base::Error(outcome.code, outcome.message);
}

}  // namespace quasar::pass
