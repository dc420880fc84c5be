// The embedding loop end to end against the sum of its parts, on photos, with `mini` on the CPU.
//
//   pipeline_benchmark FOLDER [--benchmark_repetitions=5 and other options of Google Benchmark]
//
// Overlap/D/E: with D decode and E encode threads. Each iteration does, in turn, so that other load on the
// machine disturbs all alike: reading and decoding alone on D threads, encoding alone on E threads, and the
// whole loop of `quasar embed` (checksums, metrics, shard file and all) on D + E threads. Counters:
//   images_per_s   of the whole loop, by the clock on the wall, which is the time shown
//   decode_s, encode_s   the parts alone
//   ratio          time of the whole loop / (decode_s + encode_s): below 1, decoding and encoding overlap.
//                  With as many cores as D + E threads it cannot go below max / sum, printed as `bound`;
//                  with fewer, work that fills every core anyhow has nothing to gain and stays near 1
//   cpu_ratio      the same of processor time: what is above 1 is the cost of everything that is neither
//                  decoding nor encoding
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <thread>

#include "base/allocator.h"
#include "base/logging.h"
#include "comm/communicator.h"
#include "dataset/embed.h"
#include "embedding_benchmark.h"
#include "image/decode.h"
#include "image/vips_environment.h"

namespace {

using namespace quasar;

struct Cost {
  double wall = 0;
  double cpu = 0;
};

Cost cost_of(const std::function<void()>& work) {
  const double wall = benchmarks::seconds_of(CLOCK_MONOTONIC);
  const double cpu = benchmarks::seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  work();
  return {benchmarks::seconds_of(CLOCK_MONOTONIC) - wall,
          benchmarks::seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu};
}

/// Calls work(index) for every index below `size` on some threads.
void share_out(int threads, std::size_t size, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> team;
  team.reserve(static_cast<std::size_t>(threads));
  for (int i = 0; i < threads; ++i) {
    team.emplace_back([&] {
      for (std::size_t index = next++; index < size; index = next++) work(index);
    });
  }
  for (auto& thread : team) thread.join();
}

void encode(const image::RgbImage& image, encoder::Encoder& encoder) {
  std::vector<float> embedding(static_cast<std::size_t>(encoder.dimension()));
  encoder.encode({1, image.height, image.width, image.pixels}, embedding);
  benchmark::DoNotOptimize(embedding.data());
}

void overlap(benchmark::State& state, benchmarks::Photos& photos, const comm::Communicator& comm) {
  const int decoders = static_cast<int>(state.range(0));
  const int encoders = static_cast<int>(state.range(1));
  const std::size_t size = photos.reader.size();
  std::vector<image::Prepared> pictures(size);
  Cost decoding;
  Cost encoding;
  Cost whole;
  const auto add = [](Cost& sum, const Cost& more) {
    sum.wall += more.wall;
    sum.cpu += more.cpu;
  };
  const auto decode = [&](std::size_t i) {
    std::vector<std::byte> bytes;
    photos.reader.read(i, bytes);
    pictures[i] = image::prepare(bytes, photos.decode, photos.encoder->input_spec());
  };
  // The libraries' first calls cost more than the rest, and would count for the part that comes first.
  constexpr std::size_t kFirstCalls = 16;
  share_out(decoders, std::min(size, kFirstCalls), decode);
  share_out(encoders, std::min(size, kFirstCalls),
            [&](std::size_t i) { encode(pictures[i].image, *photos.encoder); });
  for (auto _ : state) {
    add(decoding, cost_of([&] { share_out(decoders, size, decode); }));
    add(encoding, cost_of([&] {
          share_out(encoders, size, [&](std::size_t i) { encode(pictures[i].image, *photos.encoder); });
        }));
    const benchmarks::ScratchFolder run;
    const Cost now = cost_of([&] {
      dataset::embed({.set = {store::DataSetLayout(run.path()), photos.plan},
                      .encoder = *photos.encoder,
                      .decode = photos.decode,
                      .threads = {.decode_threads = decoders, .encode_threads = encoders},
                      // Small, so that a few dozen photos fill the pipeline; mini encodes one at a time.
                      .batch_size = 4},
                     comm);
    });
    add(whole, now);
    state.SetIterationTime(now.wall);
  }
  const auto images = static_cast<double>(state.iterations()) * static_cast<double>(size);
  const double sum = decoding.wall + encoding.wall;
  state.counters["images_per_s"] = images / whole.wall;
  state.counters["decode_s"] = decoding.wall;
  state.counters["encode_s"] = encoding.wall;
  state.counters["bound"] = std::max(decoding.wall, encoding.wall) / sum;
  state.counters["ratio"] = whole.wall / sum;
  state.counters["cpu_ratio"] = whole.cpu / (decoding.cpu + encoding.cpu);
}

}  // namespace

int main(int argc, char** argv) {
  base::reuse_freed_memory();  // As the program does.
  const comm::Environment mpi(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    fmt::print(stderr, "usage: pipeline_benchmark FOLDER [--benchmark_...]\n");
    return 2;
  }
  const image::VipsEnvironment vips;
  const auto comm = comm::Communicator::world();
  base::configure_logging(0, 1, base::LogLevel::kWarning);
  benchmarks::Photos photos(argv[1]);
  const auto cores = std::max(2, static_cast<int>(std::thread::hardware_concurrency()));
  benchmark::RegisterBenchmark("Overlap", overlap, std::ref(photos), std::cref(comm))
      ->Args({cores / 2, cores / 2})
      ->Args({cores, cores})
      ->Iterations(2)
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
  fmt::print("{} photos\n", photos.reader.size());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
