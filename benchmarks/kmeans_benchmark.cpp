// k-means: seconds per iteration against faiss::Clustering on the same rows and cores in the same run, with
// the rate of the machine's matrix product as the limit; memory against the size of the data; the cost of
// order-free sums.
//
//   mpirun --bind-to none -n RANKS kmeans_benchmark [rows = 200000] [dimension = 1024] [k = 256]
//                                                   [rounds = 3] [folder for the streamed copy]
//
// FAISS runs in the root process with as many threads as all ranks have together, while the other ranks
// sleep. Ours and FAISS alternate; the mean of an iteration counts, over 25 but for the first,
// as ours become cheaper while rows settle; of the rounds, the fastest. With one thread in all (taskset)
// seconds are those of the processor, which other programs on the machine disturb little; else they are the
// clock's.
#include <fmt/format.h>
#include <unistd.h>

#include <fcntl.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "base/progress.h"
#include "base/random.h"
#include "cluster/exact_sum.h"
#include "cluster/kmeans.h"
#include "cluster/kmeans_memory.h"
#include "cluster/nearest.h"
#include "cluster/thread_team.h"
#include "comm/communicator.h"
#include "comm/cores.h"
#include "support.h"

extern "C" {
int sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k,
           const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
           const float* beta, float* c, const int* ldc);
void omp_set_num_threads(int threads);
}

namespace {

using namespace quasar;
constexpr int kIterations = 25;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// The mean interval between consecutive times, without the first, which warms up.
double mean_interval(const std::vector<double>& times) {
  if (times.size() < 3) return std::numeric_limits<double>::infinity();
  return (times.back() - times[1]) / static_cast<double>(times.size() - 2);
}

struct Setup {
  std::int64_t rows = 0;
  std::size_t dimension = 0;
  int k = 0;
  int rounds = 0;
  std::filesystem::path folder;
  double (*now)() = benchmarks::wall_seconds;
};

/// Rows first..last-1 of a mixture around a common mean, as embeddings are: a direction that all share,
/// a few hundred themes, and variation of each image's own.
std::vector<float> make_rows(const Setup& setup, std::int64_t first, std::int64_t last) {
  std::vector<float> rows(static_cast<std::size_t>(last - first) * setup.dimension);
  // Sums of four uniform numbers from one random word are normal enough and fast to make.
  const auto noise = [](std::uint64_t word) {
    double sum = 0;
    for (unsigned part = 0; part < 64; part += 16) sum += static_cast<double>((word >> part) & 0xFFFFU);
    return (sum * 0x1.0p-16 - 2.0) * 1.732;
  };
  for (std::int64_t i = first; i < last; ++i) {
    float* row = rows.data() + static_cast<std::size_t>(i - first) * setup.dimension;
    const std::uint64_t theme = base::derive_seed(1, static_cast<std::uint64_t>(i)) % 400;
    for (std::size_t j = 0; j < setup.dimension; ++j) {
      const double common = noise(base::derive_seed(2, j));
      const double themed = noise(base::derive_seed(3, theme, j));
      const double own = noise(base::derive_seed(4, static_cast<std::uint64_t>(i), j));
      row[j] = static_cast<float>(0.02 * common + 0.01 * themed + 0.02 * own);
    }
  }
  return rows;
}

/// GFLOP/s.
double product_rate(int m, int n, int k, double (*now)()) {
  const std::vector<float> a(static_cast<std::size_t>(m) * static_cast<std::size_t>(k), 0.5F);
  const std::vector<float> b(static_cast<std::size_t>(n) * static_cast<std::size_t>(k), 0.25F);
  std::vector<float> c(static_cast<std::size_t>(m) * static_cast<std::size_t>(n));
  const float one = 1;
  const float zero = 0;
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const double start = now();
    sgemm_("T", "N", &m, &n, &k, &one, a.data(), &k, b.data(), &k, &zero, c.data(), &m);
    best = std::max(best, 2.0 * m * n * k / (now() - start) / 1e9);
  }
  return best;
}

/// Rows in a raw file, read with pread.
class FileRows final : public cluster::RowSource {
 public:
  FileRows(const std::filesystem::path& path, std::int64_t rows, std::int64_t first_number,
           std::size_t dimension)
      : file_(::open(path.c_str(), O_RDONLY)), rows_(rows), number_(first_number), dimension_(dimension) {
    if (file_ < 0) base::fail(base::ExitCode::kInput, "cannot open " + path.string());
  }
  ~FileRows() override { ::close(file_); }
  FileRows(const FileRows&) = delete;
  FileRows& operator=(const FileRows&) = delete;

  std::size_t dimension() const override { return dimension_; }
  std::int64_t size() const override { return rows_; }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    for (std::size_t i = 0; i < numbers.size(); ++i)
      numbers[i] = number_ + first + static_cast<std::int64_t>(i);
    if (values.empty()) return;
    auto bytes =
        std::as_writable_bytes(values).first(static_cast<std::size_t>(count) * dimension_ * sizeof(float));
    auto offset = static_cast<off_t>(static_cast<std::size_t>(first) * dimension_ * sizeof(float));
    while (!bytes.empty()) {
      const auto got = ::pread(file_, bytes.data(), bytes.size(), offset);
      if (got <= 0) base::fail(base::ExitCode::kInput, "the streamed copy ends early");
      bytes = bytes.subspan(static_cast<std::size_t>(got));
      offset += got;
    }
  }

 private:
  int file_;
  std::int64_t rows_;
  std::int64_t number_;
  std::size_t dimension_;
};

struct Timing {
  double per_iteration = 0;
  double objective = 0;
};

Timing time_ours(cluster::RowSource& rows, const Setup& setup, const comm::Communicator& comm,
                 const cluster::KMeansRuntime& runtime) {
  std::vector<double> ends;
  const auto result = cluster::kmeans(
      rows, {.k = setup.k, .iterations = kIterations}, comm,
      [&](int, const cluster::IterationStatistics&) { ends.push_back(setup.now()); }, runtime);
  return {mean_interval(ends), result.iterations.back().objective};
}

/// A member of faiss::Index up to FAISS 1.7.3, of its namespace since.
using RowNumber = decltype(faiss::Index::ntotal);

/// Notes when each search begins: once in an iteration.
class TimedIndex final : public faiss::IndexFlatL2 {
 public:
  TimedIndex(const Setup& setup)
      : faiss::IndexFlatL2(static_cast<RowNumber>(setup.dimension)), now_(setup.now) {}
  void search(RowNumber n, const float* x, RowNumber k, float* distances, RowNumber* labels,
              const faiss::SearchParameters* parameters) const override {
    begins_.push_back(now_());
    faiss::IndexFlatL2::search(n, x, k, distances, labels, parameters);
  }
  double mean_iteration() const { return mean_interval(begins_); }

 private:
  double (*now_)();
  mutable std::vector<double> begins_;
};

Timing time_faiss(const std::vector<float>& rows, const Setup& setup, int threads) {
  omp_set_num_threads(threads);
  faiss::ClusteringParameters parameters;
  parameters.niter = kIterations;
  parameters.max_points_per_centroid = 1 << 30;
  faiss::Clustering clustering(static_cast<int>(setup.dimension), setup.k, parameters);
  TimedIndex index(setup);
  clustering.train(setup.rows, rows.data(), index);
  return {index.mean_iteration(), static_cast<double>(clustering.iteration_stats.back().obj)};
}

/// Order-free sums against sums in float of the same rows, by one thread, seconds per pass.
std::pair<double, double> time_sums(std::span<const float> rows, const Setup& setup) {
  const std::size_t d = setup.dimension;
  const auto clusters = static_cast<std::size_t>(setup.k);
  const cluster::FixedPointScale scale(1, static_cast<std::uint64_t>(setup.rows));
  std::vector<std::int64_t> exact(clusters * d, 0);
  std::vector<float> plain(clusters * d, 0);
  std::vector<double> exact_seconds;
  std::vector<double> plain_seconds;
  for (int round = 0; round < 5; ++round) {
    double start = setup.now();
    for (std::size_t i = 0; i < rows.size() / d; ++i) {
      cluster::add_row(rows.subspan(i * d, d), scale,
                       std::span(exact).subspan(base::split_mix(i) % clusters * d, d));
    }
    exact_seconds.push_back(setup.now() - start);
    start = setup.now();
    for (std::size_t i = 0; i < rows.size() / d; ++i) {
      float* sums = plain.data() + base::split_mix(i) % clusters * d;
      const float* row = rows.data() + i * d;
      for (std::size_t j = 0; j < d; ++j) sums[j] += row[j];
    }
    plain_seconds.push_back(setup.now() - start);
  }
  // Both are used, so that neither loop can be left out.
  if (exact[0] == 0 && plain[0] == 1.0F) std::puts("");
  return {median(exact_seconds), median(plain_seconds)};
}

void benchmark(Setup setup) {
  const auto comm = comm::Communicator::world();
  const std::int64_t first = setup.rows * comm.rank() / comm.size();
  const std::int64_t last = setup.rows * (comm.rank() + 1) / comm.size();
  const int threads = comm::cores_of_rank(comm);
  const auto all_threads =
      static_cast<int>(comm.all_reduce(static_cast<std::int64_t>(threads), comm::Reduction::kSum));
  if (all_threads == 1) setup.now = benchmarks::processor_seconds;
  const double flops = 2.0 * static_cast<double>(setup.rows) * static_cast<double>(setup.dimension) * setup.k;
  const auto say = [&](const std::string& line) {
    if (!comm.is_root()) return;
    std::puts(line.c_str());
    std::fflush(stdout);
  };
  const auto root_alone = [&](const std::function<void()>& work) {
    comm.barrier();
    if (comm.is_root()) work();
    comm.barrier();
  };
  say(fmt::format("{} rows x {}, k = {}, {} ranks x {} threads; {} time; products in {}", setup.rows,
                  setup.dimension, setup.k, comm.size(), threads, all_threads == 1 ? "processor" : "clock",
                  cluster::fastest_products() == cluster::Products::kFloat ? "float32" : "bfloat16"));

  auto mine = make_rows(setup, first, last);
  std::vector<std::int64_t> numbers;
  for (std::int64_t i = first; i < last; ++i) numbers.push_back(i);
  cluster::MemoryRows rows({mine, numbers, setup.dimension});

  // Memory first, before anything else has left its pages behind.
  benchmarks::reset_memory_peak();
  const std::uint64_t before = benchmarks::memory_status("VmRSS");
  time_ours(rows, setup, comm, {});
  const std::uint64_t extra = benchmarks::memory_status("VmHWM") - before;
  const auto model = cluster::kmeans_memory(0, setup.dimension, setup.k, threads, 0);
  const std::uint64_t row_bytes = mine.size() * sizeof(float);
  say(fmt::format("memory beside the rows: {} on root (predicted {}), {:.1f}% of its {} of rows",
                  base::human_bytes(extra), base::human_bytes(model.total()),
                  100 * static_cast<double>(extra) / static_cast<double>(row_bytes),
                  base::human_bytes(row_bytes)));

  std::vector<float> all;
  root_alone([&] { all = comm.size() == 1 ? std::vector<float>{} : make_rows(setup, 0, setup.rows); });
  Timing ours{std::numeric_limits<double>::infinity(), 0};
  Timing theirs = ours;
  double peak = 0;
  for (int round = 0; round < setup.rounds; ++round) {
    const auto mine_now = time_ours(rows, setup, comm, {});
    root_alone([&] {
      const auto theirs_now = time_faiss(comm.size() == 1 ? mine : all, setup, all_threads);
      const double product = product_rate(2048, 2048, 2048, setup.now);
      say(fmt::format("ours {:.3f} s/iteration, FAISS {:.3f}: {:.2f}x; product {:.0f} GFLOP/s",
                      mine_now.per_iteration, theirs_now.per_iteration,
                      theirs_now.per_iteration / mine_now.per_iteration, product));
      if (mine_now.per_iteration < ours.per_iteration) ours = mine_now;
      if (theirs_now.per_iteration < theirs.per_iteration) theirs = theirs_now;
      peak = std::max(peak, product);
    });
  }
  root_alone([&] {
    const auto share = [&](const Timing& timing) { return 100 * flops / timing.per_iteration / 1e9 / peak; };
    say(fmt::format("fastest: ours {:.3f} s/iteration, FAISS {:.3f}: {:.2f}x (aim: 4)", ours.per_iteration,
                    theirs.per_iteration, theirs.per_iteration / ours.per_iteration));
    say(fmt::format("of a float32 product of 2048^3 ({:.0f} GFLOP/s): ours {:.0f}%, FAISS {:.0f}%", peak,
                    share(ours), share(theirs)));
    say(fmt::format("objectives: ours {:.8g}, FAISS {:.8g}", ours.objective, theirs.objective));
    const auto [exact, plain] = time_sums(mine, setup);
    say(fmt::format("sums of {} rows by one thread: order-free {:.3f} s, in float {:.3f} s",
                    mine.size() / setup.dimension, exact, plain));
  });

  // The same rows streamed from a file, with a quarter of their size allowed.
  const auto path = setup.folder / fmt::format("quasar-kmeans-{}-{}.raw", ::getpid(), comm.rank());
  base::write_file_atomically(path,
                              {reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(float)});
  const std::uint64_t limit = std::max(model.total() + (std::uint64_t{32} << 20U), row_bytes / 4);
  {
    FileRows streamed(path, last - first, first, setup.dimension);
    all = {};
    benchmarks::reset_memory_peak();
    const std::uint64_t resident = benchmarks::memory_status("VmRSS");
    const auto from_file = time_ours(streamed, setup, comm, {.memory_bytes = limit});
    const std::uint64_t used = benchmarks::memory_status("VmHWM") - resident;
    const auto in_memory = time_ours(rows, setup, comm, {});
    say(fmt::format(
        "streamed: {:.3f} s/iteration with a limit of {} for {} of rows; used {}; in memory {:.3f}: {:.2f}x "
        "(aim: at most 1.3)",
        from_file.per_iteration, base::human_bytes(limit), base::human_bytes(row_bytes),
        base::human_bytes(used), in_memory.per_iteration, from_file.per_iteration / in_memory.per_iteration));
  }
  std::filesystem::remove(path);
}

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(
      argc, argv, "kmeans_benchmark [rows] [dimension] [k] [rounds] [folder]; rows >= k");
  const comm::Environment environment(argc, argv);
  Setup setup;
  setup.rows = static_cast<std::int64_t>(arguments.number(1, 200000));
  setup.dimension = arguments.number(2, 1024);
  setup.k = static_cast<int>(arguments.number(3, 256));
  setup.rounds = static_cast<int>(arguments.number(4, 3));
  setup.folder = arguments.folder(5, std::filesystem::temp_directory_path());
  if (setup.rows < setup.k) arguments.refuse("rows < k");
  benchmark(setup);
  return 0;
}
