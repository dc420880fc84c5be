// Handing out shards: requests that rank 0's dispatcher answers in a second, and how long one waits for its
// answer.
//
//   mpirun -n RANKS dispatch_benchmark [shards a minute and rank = 10] [ranks of the largest job = 512]
//   [seconds = 5]
//
// Flood: all ranks but the first, which needs no message, ask as fast as they are answered. Steady: they ask
// at the stated rate, scaled to that of the largest job, so that the dispatcher sees that job's requests from
// fewer ranks; the delays are of these. The limit is what the largest job asks for: shards, and signs of
// life. Idle: processor time of rank 0 while nobody asks.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "base/activity.h"
#include "comm/communicator.h"
#include "comm/dispatcher.h"
#include "support.h"

namespace {

using namespace quasar;

constexpr std::int64_t kEndless = std::int64_t{1} << 40U;
constexpr double kPulsesPerSecondAndRank = 1.0 / 0.512;  // As dispatcher.cpp paces them at 512 ranks.

/// Requests answered on this rank within `seconds`.
std::int64_t flood(comm::Dispatcher& dispatcher, double seconds) {
  const double end = benchmarks::wall_seconds() + seconds;
  std::int64_t count = 0;
  while (benchmarks::wall_seconds() < end && dispatcher.take()) ++count;
  return count;
}

/// Seconds that each answer took, asked for every `period` seconds.
std::vector<double> steady(comm::Dispatcher& dispatcher, double period, double seconds, int rank) {
  std::vector<double> delays;
  const double start = benchmarks::wall_seconds();
  for (int i = 0;; ++i) {
    const double due = start + period * (i + 0.37 * rank);
    if (due > start + seconds) return delays;
    std::this_thread::sleep_for(std::chrono::duration<double>(due - benchmarks::wall_seconds()));
    delays.push_back(benchmarks::seconds_of([&] { dispatcher.take(); }));
  }
}

double at(const std::vector<double>& sorted, double share) {
  return sorted.empty() ? 0
                        : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(
      argc, argv, "mpirun -n RANKS dispatch_benchmark [SHARDS A MINUTE] [RANKS] [SECONDS]");
  const auto shards_a_minute = static_cast<double>(arguments.number(1, 10));
  const auto largest = static_cast<double>(arguments.number(2, 512));
  const auto seconds = static_cast<double>(arguments.number(3, 5));
  const comm::Environment mpi(argc, argv);
  const auto world = comm::Communicator::world();
  auto& dispatcher = world.dispatcher();

  dispatcher.begin_pass(kEndless);
  world.barrier();
  const auto answered =
      world.all_reduce(world.is_root() && world.size() > 1 ? std::int64_t{0} : flood(dispatcher, seconds),
                       comm::Reduction::kSum);
  dispatcher.leave({});

  dispatcher.begin_pass(kEndless);
  const double wanted = largest * shards_a_minute / 60;
  const double load = wanted + largest * kPulsesPerSecondAndRank;
  world.barrier();
  const int askers = std::max(1, world.size() - 1);
  auto delays = world.is_root() && world.size() > 1
                    ? std::vector<double>()
                    : steady(dispatcher, askers / load, seconds, world.rank());
  dispatcher.leave({});
  std::vector<double> all;
  for (const auto& part : world.exchange(std::vector(static_cast<std::size_t>(world.size()), delays)))
    all.insert(all.end(), part.begin(), part.end());
  std::sort(all.begin(), all.end());

  world.barrier();
  const double idle =
      benchmarks::seconds_of([&] { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); },
                             benchmarks::processor_seconds);
  if (world.is_root()) {
    const double rate = static_cast<double>(answered) / seconds;
    fmt::print(
        "ranks {:3}  flood {:8.0f} requests/s ({:.0f} times the {:.0f}/s of {:.0f} ranks: {:.0f} shards, the "
        "rest signs "
        "of life)  at {:.0f}/s median {:.2f} ms, 99% {:.2f} ms, most {:.2f} ms  idle {:.2f}% of a core\n",
        world.size(), rate, rate / load, load, largest, wanted, load, 1e3 * at(all, 0.5), 1e3 * at(all, 0.99),
        1e3 * at(all, 1), 100 * idle / seconds);
  }
  return static_cast<int>(dispatcher.end({}).code);
}
