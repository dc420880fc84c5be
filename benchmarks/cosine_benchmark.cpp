// The search for near duplicates among synthetic embeddings, with groups planted among them.
//
//   cosine_benchmark [rows = 1000000] [dimension = 512] [memory = 2048] [folder = .]
//   mpirun -n 2 cosine_benchmark ...
//
// Rows belong to one of rows / 1000 topics, with cosines of 0.5 within one; a third are copies of an earlier
// row, at a cosine of 0.98, and so at 0.96 from each other. `memory` is what a rank may hold, MiB; vectors
// wait in `folder`. It says how many of the planted pairs were found and how many others, seconds of k-means
// with the writing and of the search, and how long plain products (sgemm) of as many pairs take, by as many
// threads.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <vector>

#include "base/random.h"
#include "cluster/blas.h"
#include "cluster/cosine_pairs.h"
#include "comm/communicator.h"
#include "comm/cores.h"
#include "support.h"

namespace {

using namespace quasar;

/// A row's vector from its number alone, so that none is kept.
class PlantedRows final : public cluster::RowSource {
 public:
  PlantedRows(std::uint64_t rows, std::size_t dimension, std::uint64_t begin, std::uint64_t end)
      : rows_(rows), d_(dimension), begin_(begin), end_(end) {}
  std::size_t dimension() const override { return d_; }
  std::int64_t size() const override { return static_cast<std::int64_t>(end_ - begin_); }
  std::uint64_t original(std::uint64_t row) const {
    if (row % 3 != 2) return row;
    base::Random random(row * 4 + 3);
    const std::uint64_t other = random.below(row);
    return other - (other % 3 == 2 ? 1 : 0);
  }
  void read(std::int64_t first, std::int64_t count, std::span<float> values,
            std::span<std::int64_t> numbers) override {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto row = begin_ + static_cast<std::uint64_t>(first + i);
      const auto at = static_cast<std::size_t>(i);
      if (!numbers.empty()) numbers[at] = static_cast<std::int64_t>(row);
      if (values.empty()) continue;
      const auto vector = values.subspan(at * d_, d_);
      std::ranges::fill(vector, 0.0F);
      const std::uint64_t from = original(row);
      add(from % std::max<std::uint64_t>(1, rows_ / 1000) * 4, 1, vector);
      add(from * 4 + 1, 1, vector);
      // The two before have a length of the root of 2 together.
      if (from != row) add(row * 4 + 2, 0.2F * std::sqrt(2.0F), vector);
    }
  }

 private:
  /// Adds a direction of its own for each seed, of about that length in units of the others'.
  static void add(std::uint64_t seed, float length, std::span<float> vector) {
    base::Random random(seed);
    for (float& value : vector) value += length * (static_cast<float>(random.below(65536)) / 32768.0F - 1);
  }

  std::uint64_t rows_;
  std::size_t d_;
  std::uint64_t begin_;
  std::uint64_t end_;
};

}  // namespace

int main(int argc, char** argv) {
  comm::Environment environment(argc, argv);
  const benchmarks::Arguments arguments(argc, argv, "cosine_benchmark [rows] [dimension] [memory] [folder]");
  const std::uint64_t n = arguments.number(1, 1'000'000);
  const std::size_t d = arguments.number(2, 512);
  cluster::CosineSettings settings;
  settings.memory = arguments.number(3, 2048) << 20U;
  settings.folder = arguments.folder(4, ".");
  const auto comm = comm::Communicator::world();
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  const auto rank = static_cast<std::uint64_t>(comm.rank());
  PlantedRows rows(n, d, n * rank / ranks, n * (rank + 1) / ranks);

  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  double preparing = 0;
  double searching = 0;
  double products = 0;
  int clusters = 0;
  benchmarks::reset_memory_peak();
  {
    std::unique_ptr<cluster::CosinePairs> search;
    preparing = benchmarks::seconds_of(
        [&] { search = std::make_unique<cluster::CosinePairs>(rows, settings, comm); });
    cluster::ThreadTeam team(comm::cores_of_rank(comm));
    const auto all = [](std::uint64_t) { return true; };
    searching = benchmarks::seconds_of([&] {
      search->find({all, all}, team, [&](std::span<const cluster::NearPair> pairs) {
        for (const auto& pair : pairs) found.emplace_back(pair.probe, pair.home);
      });
    });
    clusters = search->clusters();
    products = static_cast<double>(
        comm.all_reduce(static_cast<std::int64_t>(search->products()), comm::Reduction::kSum));
  }
  const auto peak =
      comm.all_reduce(static_cast<std::int64_t>(benchmarks::memory_status("VmHWM")), comm::Reduction::kMax);
  // A pair of two common clusters comes twice, maybe on two ranks: to that of its better row.
  std::vector<std::vector<cluster::NearPair>> parts(ranks);
  for (const auto& [a, b] : found) parts[a % ranks].push_back({a, b, 0});
  found.clear();
  for (const auto& part : comm.exchange(parts)) {
    for (const auto& pair : part) found.emplace_back(pair.probe, pair.home);
  }
  std::ranges::sort(found);
  found.erase(std::ranges::unique(found).begin(), found.end());
  std::int64_t right = 0;
  for (const auto& [a, b] : found) right += rows.original(a) == rows.original(b) ? 1 : 0;
  const auto all_right = comm.all_reduce(right, comm::Reduction::kSum);
  const auto all_found = comm.all_reduce(static_cast<std::int64_t>(found.size()), comm::Reduction::kSum);

  // Products of this rank, as many as take a second or two.
  constexpr int kTile = 512;
  double rate = 0;
  {
    cluster::ThreadTeam team(comm::cores_of_rank(comm));
    std::vector<float> tile(2 * kTile * d);
    PlantedRows(n, d, 0, n)
        .read(0, std::min<std::int64_t>(2 * kTile, static_cast<std::int64_t>(n)), tile, {});
    std::vector<std::vector<float>> results(static_cast<std::size_t>(team.size()),
                                            std::vector<float>(std::size_t{kTile} * kTile));
    constexpr int kTimes = 60;
    const double seconds = benchmarks::seconds_of([&] {
      team.run([&](int thread) {
        for (int i = 0; i < kTimes; ++i)
          cluster::multiply_transposed(tile.data(), kTile, tile.data() + kTile * d, kTile,
                                       static_cast<int>(d), results[static_cast<std::size_t>(thread)].data());
      });
    });
    const double own = static_cast<double>(team.size()) * kTimes * kTile * kTile / seconds;
    rate = static_cast<double>(comm.all_reduce(static_cast<std::int64_t>(own), comm::Reduction::kSum));
  }
  if (!comm.is_root()) return 0;
  std::map<std::uint64_t, std::uint64_t> groups;
  for (std::uint64_t row = 2; row < n; row += 3) ++groups[rows.original(row)];
  std::uint64_t planted = 0;
  for (const auto& [original, copies] : groups) planted += (copies + 1) * copies / 2;
  fmt::print(
      "{} rows of {} in {} clusters, {} ranks: {} of {} planted pairs found, {} others; {:.1f} s of k-means "
      "and "
      "writing, {:.1f} s of search; peak {:.2f} GiB a rank\n",
      n, d, clusters, ranks, all_right, planted, all_found - all_right, preparing, searching,
      static_cast<double>(peak) / (1U << 30U));
  fmt::print("{:.3g} products; plain sgemm would take {:.1f} s: the search took {:.2f} times that\n",
             products, products / rate, searching * rate / products);
  return all_found == all_right ? 0 : 1;
}
