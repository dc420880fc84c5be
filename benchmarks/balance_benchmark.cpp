// Balance: seconds of hierarchical k-means by level, with the rate of the machine's matrix product as the
// limit, and of the sample down its tree.
//
//   mpirun --bind-to none -n RANKS balance_benchmark [rows = 1000000] [dimension = 256] [iterations = 2]
//                                                    [level 1 = 20000] [level 2 = 500] [level 3 = 20]
//
// Level 1 costs 2 x rows x clusters x dimension operations an iteration, and as much for the assignment at
// the end; the others next to nothing. Iterations of level 1 take equal times, so that few of them tell what
// 50 would take.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/random.h"
#include "cluster/balanced_sample.h"
#include "cluster/hierarchy.h"
#include "cluster/nearest.h"
#include "comm/communicator.h"
#include "comm/cores.h"
#include "support.h"

extern "C" {
int sgemm_(const char* transa, const char* transb, const int* m, const int* n, const int* k,
           const float* alpha, const float* a, const int* lda, const float* b, const int* ldb,
           const float* beta, float* c, const int* ldc);
}

namespace {

using namespace quasar;

/// GFLOP/s of a float32 product, by all threads of the library.
double product_rate() {
  constexpr int kSide = 2048;
  const std::vector<float> a(std::size_t{kSide} * kSide, 0.5F);
  const std::vector<float> b(std::size_t{kSide} * kSide, 0.25F);
  std::vector<float> c(std::size_t{kSide} * kSide);
  const int side = kSide;
  const float one = 1;
  const float zero = 0;
  double best = 0;
  for (int repeat = 0; repeat < 5; ++repeat) {
    const double seconds = benchmarks::seconds_of([&] {
      sgemm_("T", "N", &side, &side, &side, &one, a.data(), &side, b.data(), &side, &zero, c.data(), &side);
    });
    best = std::max(best, 2.0 * kSide * kSide * kSide / seconds / 1e9);
  }
  return best;
}

/// Rows of themes whose sizes fall as 1 / rank, as what a scrape shows does.
std::vector<float> make_rows(std::int64_t first, std::int64_t last, std::size_t dimension) {
  constexpr std::uint64_t kThemes = 30000;
  std::vector<float> rows;
  rows.reserve(static_cast<std::size_t>(last - first) * dimension);
  const auto uniform = [](std::uint64_t word) { return static_cast<double>(word >> 11U) * 0x1.0p-53 - 0.5; };
  for (std::int64_t i = first; i < last; ++i) {
    const auto row = static_cast<std::uint64_t>(i);
    const auto theme = static_cast<std::uint64_t>(
        std::pow(static_cast<double>(kThemes), uniform(base::derive_seed(1, row)) + 0.5));
    for (std::size_t j = 0; j < dimension; ++j) {
      rows.push_back(static_cast<float>(uniform(base::derive_seed(2, theme, j)) +
                                        0.5 * uniform(base::derive_seed(3, row, j))));
    }
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(
      argc, argv, "balance_benchmark [rows] [dimension] [iterations] [level 1] [level 2] [level 3]");
  const comm::Environment environment(argc, argv);
  const auto comm = comm::Communicator::world();
  const auto rows = static_cast<std::int64_t>(arguments.number(1, 1000000));
  const std::size_t dimension = arguments.number(2, 256);
  cluster::HierarchyConfig config;
  config.iterations = static_cast<int>(arguments.number(3, 2));
  for (int level = 0; level < 3; ++level)
    config.levels.push_back(static_cast<int>(
        arguments.number(4 + level, std::vector{20000U, 500U, 20U}[static_cast<std::size_t>(level)])));
  if (rows < config.levels[0]) arguments.refuse("fewer rows than clusters");
  const auto say = [&](const std::string& line) {
    if (!comm.is_root()) return;
    std::puts(line.c_str());
    std::fflush(stdout);
  };
  const std::int64_t first = rows * comm.rank() / comm.size();
  const std::int64_t last = rows * (comm.rank() + 1) / comm.size();
  const auto values = make_rows(first, last, dimension);
  std::vector<std::int64_t> numbers(static_cast<std::size_t>(last - first));
  std::iota(numbers.begin(), numbers.end(), first);
  cluster::MemoryRows source({values, numbers, dimension});
  say(fmt::format("{} rows x {}, levels {} {} {}, {} iterations, {} ranks x {} threads, products in {}", rows,
                  dimension, config.levels[0], config.levels[1], config.levels[2], config.iterations,
                  comm.size(), comm::cores_of_rank(comm),
                  cluster::fastest_products() == cluster::Products::kFloat ? "float32" : "bfloat16"));
  const double product = comm.is_root() ? product_rate() : 0;
  comm.barrier();

  cluster::Hierarchy hierarchy;
  const double seconds =
      benchmarks::seconds_of([&] { hierarchy = cluster::cluster_hierarchy(source, config, comm); });
  const double passes = config.iterations + 1;
  const double flops =
      2.0 * static_cast<double>(rows) * static_cast<double>(dimension) * config.levels[0] * passes;
  say(
      fmt::format("clustered in {:.1f} s: {:.1f} s a pass over level 1 ({:.0f} passes), {:.0f}% of a float32 "
                  "product of 2048^3 ({:.0f} GFLOP/s)",
                  seconds, seconds / passes, passes, 100 * flops / seconds / 1e9 / product, product));

  cluster::ClusterTree tree;
  for (const auto& level : hierarchy.levels) {
    tree.clusters.push_back(level.sizes.size());
    if (!level.parents.empty()) tree.parents.push_back(level.parents);
  }
  for (const auto size : hierarchy.levels[0].sizes) tree.sizes.push_back(static_cast<std::uint64_t>(size));
  std::vector<std::uint64_t> counts;
  const double sampling = benchmarks::seconds_of([&] {
    // Any order of rows: that of clusters and then of places costs as much.
    counts = cluster::balanced_counts(tree, static_cast<std::uint64_t>(rows / 10),
                                      [&](std::span<const std::uint64_t> places) {
                                        std::vector<std::uint64_t> positions(places.begin(), places.end());
                                        for (std::size_t c = 0; c < positions.size(); ++c)
                                          positions[c] = positions[c] * positions.size() + c;
                                        return positions;
                                      });
  });
  const auto spread = [](std::vector<std::uint64_t> sizes) {
    std::ranges::sort(sizes);
    return fmt::format("{} / {} / {}", sizes.front(), sizes[sizes.size() / 2], sizes.back());
  };
  say(
      fmt::format("a tenth of the rows in {:.3f} s; sizes of level 1 (least / median / greatest) {} before, "
                  "{} after",
                  sampling, spread(tree.sizes), spread(counts)));
  return 0;
}
