// Decoding in processes against decoding in threads of one process, and what a crash costs.
//
//   decode_workers_benchmark FOLDER [side = 224] [rounds = 5]
//
// FOLDER holds pictures, which are read into memory first. At 1, 2 and 4 workers: pictures per second of
// threads that call image::prepare, and of a pool; rounds alternate and the best of each counts. The aim is
// that processes are no slower than threads by more than 3 %. Ratios mean little where there are fewer cores
// than workers. Then: how long the picture after one that crashed a worker waits for the next worker, and how
// long a pool takes to start.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/allocator.h"
#include "base/atomic_file.h"
#include "decode/worker_pool.h"
#include "image/decode.h"
#include "image/vips_environment.h"
#include "support.h"

namespace {

using namespace quasar;

constexpr double kAim = 0.97;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Seconds {
  double wall = 1e9;
  double processor = 1e9;

  void keep_best(double wall_now, double processor_now) {
    wall = std::min(wall, wall_now);
    processor = std::min(processor, processor_now);
  }
};

/// Processor time of this process and the workers of a pool.
double processor_seconds(const decode::WorkerPool& pool) {
  double seconds = benchmarks::processor_seconds();
  for (int worker = 0; worker < pool.workers(); ++worker) {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pool.process(worker), &clock) != 0 || ::clock_gettime(clock, &time) != 0)
      continue;
    seconds += static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  return seconds;
}

/// Seconds for all files, shared among so many threads; each calls work(thread, file).
template <typename Work>
double seconds_shared(const std::vector<std::string>& files, int threads, const Work& work) {
  return benchmarks::seconds_of([&] {
    std::atomic<std::size_t> next{0};
    std::vector<std::thread> running;
    running.reserve(static_cast<std::size_t>(threads));
    for (int thread = 0; thread < threads; ++thread) {
      running.emplace_back([&, thread] {
        for (std::size_t i = next++; i < files.size(); i = next++) work(thread, files[i]);
      });
    }
    for (auto& thread : running) thread.join();
  });
}

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(argc, argv, "decode_workers_benchmark FOLDER [side] [rounds]");
  if (argc < 2) arguments.refuse("no folder");
  base::reuse_freed_memory();
  const image::VipsEnvironment vips;
  const base::InputSpec spec{.size = static_cast<int>(arguments.number(2, 224))};
  const int rounds = static_cast<int>(arguments.number(3, 5));
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments.folder(1, "."))) {
    if (!entry.is_regular_file()) continue;
    std::string content = base::read_file(entry.path());
    if (image::prepare(bytes_of(content), {}, spec).status == base::RowStatus::kOk)
      files.push_back(std::move(content));
  }
  if (files.empty()) {
    fmt::print(stderr, "decode_workers_benchmark: no picture in {}\n", argv[1]);
    return 4;
  }
  const auto pictures = static_cast<double>(files.size());
  fmt::print("{} pictures to {} px on {} cores; pictures per second\n", files.size(), spec.size,
             std::thread::hardware_concurrency());
  fmt::print(
      "workers  threads  processes  ratio (aim: {:.2f} or more)  processor ms/picture: threads  processes\n",
      kAim);
  for (const int workers : {1, 2, 4}) {
    decode::PoolConfig config;
    config.spec = spec;
    config.workers = workers;
    decode::WorkerPool pool(config);
    Seconds threads;
    Seconds processes;
    for (int round = 0; round < rounds; ++round) {
      const double start = processor_seconds(pool);
      const double in_threads = seconds_shared(
          files, workers, [&](int, const std::string& file) { image::prepare(bytes_of(file), {}, spec); });
      const double middle = processor_seconds(pool);
      const double in_processes = seconds_shared(files, workers, [&](int worker, const std::string& file) {
        pool.decode(worker, {}, bytes_of(file));
      });
      threads.keep_best(in_threads, middle - start);
      processes.keep_best(in_processes, processor_seconds(pool) - middle);
    }
    const double ratio = threads.wall / processes.wall;
    fmt::print("{:7}  {:7.1f}  {:9.1f}  {:5.3f} {:34.2f}  {:9.2f}\n", workers, pictures / threads.wall,
               pictures / processes.wall, ratio, 1e3 * threads.processor / pictures,
               1e3 * processes.processor / pictures);
  }
  decode::PoolConfig config;
  config.spec = spec;
  double start = 0;
  std::unique_ptr<decode::WorkerPool> pool;
  start = benchmarks::seconds_of([&] { pool = std::make_unique<decode::WorkerPool>(config); });
  for (int i = 0; i < 2 * rounds; ++i) {
    ::kill(pool->process(0), SIGKILL);
    pool->decode(0, {}, bytes_of(files[0]));
  }
  pool->decode(0, {}, bytes_of(files[0]));
  const auto statistics = pool->statistics();
  fmt::print("start of a pool of one: {:.0f} ms; a crash costs {:.0f} ms, idle worker {:.1f} MiB\n",
             1e3 * start, 1e3 * statistics.restart_seconds / static_cast<double>(statistics.restarts),
             static_cast<double>(statistics.idle_bytes) / (1 << 20));
  return 0;
}
