// What safety and accounting cost per image, as a share of embedding it, in processor time.
//
//   overhead_benchmark FOLDER [options of Google Benchmark]
//
// Embed is the whole loop of `quasar embed` with `mini` over the folder's photos. The others are done alone,
// as often per image as that loop does them:
//   Checksums   xxh128 of the file's bytes, and of the columns of the shard
//   InFlight    an image noted as read, as decoded and as done with
//   Metrics     counters and stopwatches of an image, and its share of the file written every 2 s
//   Heartbeat   the watch over the ranks ten times a second, and the news of the job five times
// cpu_us_per_image is processor time; share_percent is that of Embed's. Embed comes first and is needed.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <thread>

#include "base/activity.h"
#include "base/allocator.h"
#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/logging.h"
#include "comm/communicator.h"
#include "comm/dispatcher.h"
#include "dataset/embed.h"
#include "embedding_benchmark.h"
#include "image/vips_environment.h"
#include "pass/in_flight.h"
#include "pass/rank_metrics.h"
#include "store/embedding_shard.h"

namespace {

using namespace quasar;

/// As in pass/run_pass.cpp and pipeline/embed.cpp.
constexpr double kLooksPerSecond = 5;
constexpr double kMetricsPerSecond = 0.5;
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
    dataset::embed({.set = {store::DataSetLayout(run.path()), photos.plan},
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

void in_flight(benchmark::State& state, benchmarks::Photos& photos) {
  pass::InFlightTable table(1);
  double images = 0;
  const CpuTimer timer;
  for (auto _ : state) {
    for (std::size_t i = 0; i < photos.reader.size(); ++i) {
      const pass::InFlightSlot slot(table, 0);
      table.begin(0, "reading", 0, photos.reader.item(i).id);
      table.begin(0, "decoding", 0, photos.reader.item(i).id);
    }
    images += static_cast<double>(photos.reader.size());
  }
  report(state, timer.seconds(), images);
}

void metrics(benchmark::State& state, benchmarks::Photos& photos) {
  const benchmarks::ScratchFolder folder;
  pass::RankMetrics metrics;
  double images = 0;
  const CpuTimer timer;
  for (auto _ : state) {
    for (std::size_t i = 0; i < photos.reader.size(); ++i) {
      for (const auto doing : {pass::Doing::kReading, pass::Doing::kDecoding, pass::Doing::kAwaitingEncoder,
                               pass::Doing::kAwaitingPictures, pass::Doing::kEncoding}) {
        const pass::ThreadClock::Lap lap(metrics.threads, doing);
      }
      metrics.bytes_read += i;
      for (int step = 0; step < kStepsPerImage; ++step) base::note_activity();
      ++metrics.images[0];
    }
    images += static_cast<double>(photos.reader.size());
  }
  const double counting = timer.seconds();
  constexpr int kFiles = 200;
  const CpuTimer writing;
  for (int i = 0; i < kFiles; ++i)
    base::write_file_atomically(folder.path() / "rank-0.prom",
                                pass::to_prometheus(metrics, {0, 1, 2, false}));
  const double files_per_image = kMetricsPerSecond * embedding.wall_per_image;
  report(state, counting + images * files_per_image * writing.seconds() / kFiles, images);
}

void heartbeat(benchmark::State& state, const comm::Communicator& comm) {
  double looks = 0;
  const CpuTimer timer;
  for (auto _ : state) {
    benchmark::DoNotOptimize(comm.dispatcher().look(looks));
    benchmark::DoNotOptimize(comm.dispatcher().look(looks));
    benchmark::DoNotOptimize(comm.dispatcher().progress());
    comm.dispatcher().add_rows(1);
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
  benchmark::RegisterBenchmark("InFlight", in_flight, std::ref(photos))->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("Metrics", metrics, std::ref(photos))->Unit(benchmark::kMillisecond);
  benchmark::RegisterBenchmark("Heartbeat", heartbeat, std::cref(comm));
  fmt::print("{} photos\n", photos.reader.size());
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
