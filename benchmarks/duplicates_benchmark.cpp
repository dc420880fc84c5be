// The search for perceptual copies among synthetic hashes, with groups planted among them.
//
//   duplicates_benchmark [rows = 10000000] [memory = 2048] [sample = 2000] [folder = .]
//   mpirun -n 2 duplicates_benchmark ...
//
// A third of the rows are copies of an earlier one, up to 31 of 256 bits away; the others are random, and so
// some 90 bits from each other at the least. `memory` is what a rank may hold, MiB; rows wait in `folder`. It
// says whether just the planted copies were found, seconds, and the peak of memory. What comparing every row
// with every other would take is measured on a sample: that many rows against all, by the same loop.
#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "base/random.h"
#include "cluster/hamming_kernels.h"
#include "comm/communicator.h"
#include "curation/duplicates.h"
#include "support.h"

namespace {

using namespace quasar;

using Hash = std::array<std::uint64_t, 4>;

/// A row's hash from its number alone, so that none is kept.
struct Planted {
  std::uint64_t rows;
  std::uint64_t original(std::uint64_t row) const {
    base::Random random(row * 2 + 1);
    if (row % 3 != 2) return row;
    const std::uint64_t other = random.below(row);
    return other - (other % 3 == 2 ? 1 : 0);
  }
  Hash hash(std::uint64_t row) const {
    base::Random bits(original(row) * 2);
    Hash hash{};
    for (auto& part : hash) {
      for (int i = 0; i < 4; ++i) part = part << 16U | bits.below(1U << 16U);
    }
    if (original(row) == row) return hash;
    base::Random flips(row * 2 + 1);
    flips.below(row);
    for (std::uint64_t left = flips.below(32); left > 0; --left) {
      const auto bit = flips.below(256);
      hash[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    }
    return hash;
  }
};

}  // namespace

int main(int argc, char** argv) {
  comm::Environment environment(argc, argv);
  const benchmarks::Arguments arguments(argc, argv, "duplicates_benchmark [rows] [memory] [sample] [folder]");
  const Planted planted{arguments.number(1, 10'000'000)};
  const std::uint64_t memory = arguments.number(2, 2048) << 20U;
  const std::uint64_t sample = std::min(arguments.number(3, 2000), planted.rows);
  const auto folder = arguments.folder(4, ".");
  const auto comm = comm::Communicator::world();
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  const auto rank = static_cast<std::uint64_t>(comm.rank());
  const std::uint64_t begin = planted.rows * rank / ranks;
  const std::uint64_t end = planted.rows * (rank + 1) / ranks;

  curation::DuplicateRule rule;
  rule.perceptual = true;
  std::int64_t wrong = 0;
  std::int64_t copies = 0;
  double seconds = 0;
  {
    curation::Duplicates duplicates(rule, folder, memory, comm);
    for (std::uint64_t row = begin; row < end; ++row) {
      const auto hash = planted.hash(row);
      const auto digits = fmt::format("{:016x}{:016x}{:016x}{:016x}", hash[3], hash[2], hash[1], hash[0]);
      duplicates.add({"", digits, 100}, std::to_string(row));
    }
    benchmarks::reset_memory_peak();
    comm.barrier();
    seconds = benchmarks::seconds_of([&] { duplicates.solve({}); });
    for (std::uint64_t row = begin; row < end; ++row) {
      const auto fate = duplicates.next();
      const auto original = planted.original(row);
      const bool gone = fate.likeness != curation::Likeness::kNone;
      copies += original != row ? 1 : 0;
      wrong += gone != (original != row) || (gone && fate.of != std::to_string(original)) ? 1 : 0;
    }
  }
  const auto peak =
      comm.all_reduce(static_cast<std::int64_t>(benchmarks::memory_status("VmHWM")), comm::Reduction::kMax);
  wrong = comm.all_reduce(wrong, comm::Reduction::kSum);
  copies = comm.all_reduce(copies, comm::Reduction::kSum);
  if (!comm.is_root()) return wrong == 0 ? 0 : 1;
  fmt::print(
      "{} rows, {} planted copies, {} ranks: {} rows with a wrong fate, {:.1f} s, peak {:.2f} GiB a rank\n",
      planted.rows, copies, ranks, wrong, seconds, static_cast<double>(peak) / (1U << 30U));

  // All rows of a smaller set stand for all: the loop runs through memory in any case.
  const std::uint64_t held = std::min<std::uint64_t>(planted.rows, 1'000'000);
  std::vector<std::uint64_t> first(held);
  std::vector<std::uint64_t> second(held);
  for (std::uint64_t row = 0; row < held; ++row) {
    const auto hash = planted.hash(row);
    first[row] = hash[0];
    second[row] = hash[1];
  }
  std::vector<std::uint32_t> found(held);
  std::uint64_t all = 0;
  const double sampled = benchmarks::seconds_of([&] {
    for (std::uint64_t row = 0; row < sample; ++row)
      all += cluster::kernels::within_distance(first, second, first[row], second[row], 31, found.data());
  });
  const double pairs = static_cast<double>(sample) * static_cast<double>(held);
  const double brute =
      sampled / pairs * static_cast<double>(planted.rows) * static_cast<double>(planted.rows) / 2;
  fmt::print(
      "every row with every other on one core: {:.0f} s ({:.2e} pairs/s on a sample of {} rows, {} near)\n",
      brute, pairs / sampled, sample, all);
  fmt::print("that is {:.1f} times as long as the search took\n", brute / seconds);
  return wrong == 0 ? 0 : 1;
}
