// What safety and accounting cost per image, as a share of embedding it, in processor time.
//
//   overhead_benchmark FOLDER [options of Google Benchmark]
//
// Embed is the whole loop of `quasar embed` with `mini` over the folder's photos. The others are done alone,
// as often per image as that loop does them:
//   Checksums   xxh128 of the file's bytes, and of the columns of the shard
//   Journal     a slot begun, moved on and ended in the file mapped into memory
//   Metrics     counters and stopwatches of an image, and its share of the file written every 5 s
//   Heartbeat   the watch over decoders and ranks every 0.2 s, and news to the job's board
// cpu_us_per_image is processor time; share_percent is that of Embed's. Embed comes first and is needed.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <thread>

#include "base/allocator.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/logging.h"
#include "comm/communicator.h"
#include "embedding_benchmark.h"
#include "image/vips_environment.h"
#include "pipeline/embed.h"
#include "pipeline/item_decoder.h"
#include "pipeline/job_board.h"
#include "pipeline/journal.h"
#include "pipeline/rank_metrics.h"
#include "pipeline/watchdog.h"
#include "store/embedding_shard.h"

namespace {

using namespace quasar;

/// As in pipeline/embed.cpp.
constexpr double kLooksPerSecond = 5;
constexpr double kMetricsPerSecond = 0.2;
/// Steps of an image that the counters see: read, decoded, encoded.
constexpr int kStepsPerImage = 3;

struct Embedding {
  double cpu_per_image = 0;
  double wall_per_image = 0;
};
/// Set by Embed, which is registered first.
Embedding embedding;

class CpuTimer {
 public:
  double seconds() const { return benchmarks::seconds_of(CLOCK_PROCESS_CPUTIME_ID) - start_; }

 private:
  double start_ = benchmarks::seconds_of(CLOCK_PROCESS_CPUTIME_ID);
};

/// Reports processor time per image, of which there were `images`.
void report(benchmark::State& state, double cpu, double images) {
  state.counters["cpu_us_per_image"] = 1e6 * cpu / images;
  state.counters["share_percent"] = 100 * cpu / images / embedding.cpu_per_image;
}

void embed(benchmark::State& state, benchmarks::Photos& photos, const comm::Communicator& comm) {
  double cpu = 0;
  double wall = 0;
  double images = 0;
  for (auto _ : state) {
    const benchmarks::ScratchFolder run;
    const CpuTimer timer;
    const double start = benchmarks::seconds_of(CLOCK_MONOTONIC);
    pipeline::embed({.plan = photos.plan,
                     .folder = run.path(),
                     .encoder = *photos.encoder,
                     .decode = photos.decode,
                     .threads = {}},
                    comm);
    cpu += timer.seconds();
    wall += benchmarks::seconds_of(CLOCK_MONOTONIC) - start;
    images += static_cast<double>(photos.reader.size());
  }
  embedding = {cpu / images, wall / images};
  report(state, cpu, images);
}

void checksums(benchmark::State& state, benchmarks::Photos& photos) {
  const std::size_t size = photos.reader.size();
  std::vector<std::vector<std::byte>> files(size);
  for (std::size_t i = 0; i < size; ++i) photos.reader.read(i, files[i]);
  const std::vector<std::byte> row(4 * static_cast<std::size_t>(photos.encoder->dimension()) + 256);
  double images = 0;
  const CpuTimer timer;
  for (auto _ : state) {
    for (const auto& file : files) {
      benchmark::DoNotOptimize(base::xxh128_hex(file));
      benchmark::DoNotOptimize(base::xxh128_hex(row));
    }
    images += static_cast<double>(size);
  }
  report(state, timer.seconds(), images);
}

void journal(benchmark::State& state, benchmarks::Photos& photos) {
  const benchmarks::ScratchFolder folder;
  pipeline::Journal journal(folder.path(), 0, 1);
  double images = 0;
  const CpuTimer timer;
  for (auto _ : state) {
    for (std::size_t i = 0; i < photos.reader.size(); ++i) {
      journal.begin(0, pipeline::Phase::kReading, 0, i, photos.reader.item(i).id);
      journal.set_phase(0, pipeline::Phase::kDecoding);
      journal.end(0);
    }
    images += static_cast<double>(photos.reader.size());
  }
  report(state, timer.seconds(), images);
}

void metrics(benchmark::State& state, benchmarks::Photos& photos) {
  const benchmarks::ScratchFolder folder;
  pipeline::RankMetrics metrics;
  double images = 0;
  const CpuTimer timer;
  for (auto _ : state) {
    for (std::size_t i = 0; i < photos.reader.size(); ++i) {
      for (auto* sum : {&metrics.decode_ns, &metrics.encode_ns, &metrics.starved_of_decoded_ns,
                        &metrics.starved_of_encoder_ns}) {
        const pipeline::Stopwatch watch(*sum);
      }
      metrics.bytes_read += i;
      metrics.steps += kStepsPerImage;
      ++metrics.images[0];
    }
    images += static_cast<double>(photos.reader.size());
  }
  const double counting = timer.seconds();
  constexpr int kFiles = 200;
  const CpuTimer writing;
  for (int i = 0; i < kFiles; ++i)
    base::write_file_atomically(folder.path() / "rank-0.prom",
                                pipeline::to_prometheus(metrics, {0, 1, 2, false}));
  const double files_per_image = kMetricsPerSecond * embedding.wall_per_image;
  report(state, counting + images * files_per_image * writing.seconds() / kFiles, images);
}

void heartbeat(benchmark::State& state, const comm::Communicator& comm) {
  const benchmarks::ScratchFolder folder;
  pipeline::Journal journal(folder.path(), 0, static_cast<int>(std::thread::hardware_concurrency()));
  pipeline::JobBoard board(comm);
  pipeline::StallWatch stalls(board, folder.path(), 1e6, comm.rank());
  double looks = 0;
  const CpuTimer timer;
  for (auto _ : state) {
    pipeline::end_if_hung(journal, 1e6);
    stalls.look();
    board.post(1, kStepsPerImage);
    benchmark::DoNotOptimize(board.stop_posted());
    benchmark::DoNotOptimize(board.rows_done());
    benchmark::DoNotOptimize(stalls.slowest());
    ++looks;
  }
  report(state, timer.seconds(), looks / (kLooksPerSecond * embedding.wall_per_image));
}

}  // namespace

int main(int argc, char** argv) {
  base::reuse_freed_memory();  // As the program does.
  const comm::Environment mpi(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    fmt::print(stderr, "usage: overhead_benchmark FOLDER [--benchmark_...]\n");
    return 2;
  }
  const image::VipsEnvironment vips;
  const auto comm = comm::Communicator::world();
  base::configure_logging(0, 1, base::LogLevel::kWarning);
  benchmarks::Photos photos(argv[1]);
  benchmark::RegisterBenchmark("Embed", embed, std::ref(photos), std::cref(comm))
      ->Iterations(2)
      ->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("Checksums", checksums, std::ref(photos))->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("Journal", journal, std::ref(photos))->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("Metrics", metrics, std::ref(photos))->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("Heartbeat", heartbeat, std::cref(comm));
  fmt::print("{} photos\n", photos.reader.size());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
