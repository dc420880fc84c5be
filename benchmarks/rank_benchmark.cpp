// Ranking: rows/s of the distributed sort under a memory ceiling, against GNU sort of the same keys in the
// same run.
//
//   rank_benchmark [rows = 20000000] [memory in MiB, of all ranks together = 1024] [folder for temporary
//   files]
//
// Both write the ranking as text (key and id of each row in order), which must come out byte-identical. GNU
// sort gets the same memory, one thread per core, and a text file with a key that sorts as plain bytes, its
// best case.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "base/random.h"
#include "comm/communicator.h"
#include "curation/distributed_sort.h"
#include "support.h"

namespace {

using namespace quasar;

/// Score and id of a synthetic row: scores crowd around 0.5 as real ones do, and one row in fifty has none.
float score_of(std::uint64_t row) {
  const std::uint64_t bits = base::split_mix(row);
  if (bits % 50 == 0) return std::numeric_limits<float>::quiet_NaN();
  const double a = static_cast<double>(bits >> 40U) * 0x1.0p-24;
  const double b = static_cast<double>(base::split_mix(bits) >> 40U) * 0x1.0p-24;
  return static_cast<float>(0.25 + 0.25 * (a + b));
}

std::string_view id_of(std::uint64_t row, std::array<char, 48>& buffer) {
  const std::uint64_t name = base::split_mix(row + 7) % 1'000'000'000;
  const auto end = fmt::format_to(buffer.data(), "{:05}.tar/{:09}-{}.jpg", row / 10000, name, row);
  return {buffer.data(), static_cast<std::size_t>(end - buffer.data())};
}

void append_line(std::uint32_t key, std::string_view id, std::string& text) {
  static constexpr char kDigits[] = "0123456789abcdef";
  for (unsigned shift = 32; shift > 0; shift -= 4) text += kDigits[(key >> (shift - 4)) & 15U];
  text += '\t';
  text += id;
  text += '\n';
}

struct Setup {
  std::uint64_t rows;
  std::uint64_t memory;
  std::filesystem::path folder;
};

/// This rank's share of the rows, sorted, and its slice written to a part file.
void rank_rows(const Setup& setup, const comm::Communicator& comm, std::uint64_t& runs) {
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  const auto rank = static_cast<std::uint64_t>(comm.rank());
  curation::DistributedSort sort(setup.folder, setup.memory / ranks, comm);
  std::array<char, 48> buffer{};
  for (std::uint64_t row = setup.rows * rank / ranks; row < setup.rows * (rank + 1) / ranks; ++row) {
    sort.add({curation::descending_key(score_of(row)), row, false, id_of(row, buffer), {}});
  }
  auto slice = sort.finish();
  base::AtomicFile out(setup.folder / ("ranked-" + std::to_string(rank)));
  std::string text;
  curation::SortRecord record;
  while (slice.next(record)) {
    append_line(record.key, record.id, text);
    if (text.size() < 60000) continue;
    out.write(text);
    text.clear();
  }
  out.write(text);
  out.commit();
  runs = sort.runs_written();
  comm.barrier();
}

void write_sort_input(const Setup& setup) {
  base::AtomicFile file(setup.folder / "input.txt");
  std::array<char, 48> buffer{};
  std::string text;
  for (std::uint64_t row = 0; row < setup.rows; ++row) {
    text.clear();
    append_line(curation::descending_key(score_of(row)), id_of(row, buffer), text);
    file.write(text);
  }
  file.commit();
}

/// Runs a shell command in the folder; the program ends when it fails.
void shell(const Setup& setup, const std::string& command) {
  const std::string whole = "cd '" + setup.folder.string() + "' && " + command;
  if (std::system(whole.c_str()) != 0) {
    fmt::print(stderr, "failed: {}\n", command);
    comm::Environment::abort(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(argc, argv, "rank_benchmark [rows] [memory in MiB] [folder]");
  const comm::Environment environment(argc, argv);
  const auto comm = comm::Communicator::world();
  const Setup setup{arguments.number(1, 20'000'000), arguments.number(2, 1024) << 20U,
                    std::filesystem::absolute(arguments.folder(3, ".")) / "rank-benchmark-tmp"};
  comm.on_root([&] { base::make_directories(setup.folder); });

  const std::uint64_t before = benchmarks::memory_status("VmHWM");
  std::uint64_t runs = 0;
  const double ours_begin = benchmarks::processor_seconds();
  const double ours = benchmarks::seconds_of([&] { rank_rows(setup, comm, runs); });
  // Sums over ranks are of integers.
  const auto microseconds = static_cast<std::int64_t>(1e6 * (benchmarks::processor_seconds() - ours_begin));
  const double ours_processor =
      1e-6 * static_cast<double>(comm.all_reduce(microseconds, comm::Reduction::kSum));
  const auto grown = comm.all_reduce(static_cast<std::int64_t>(benchmarks::memory_status("VmHWM") - before),
                                     comm::Reduction::kMax);
  if (!comm.is_root()) return 0;

  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const auto ranks = static_cast<std::uint64_t>(comm.size());
  const double million = static_cast<double>(setup.rows) / 1e6;
  fmt::print("{} rows, {} for {} ranks, {} runs on rank 0\n", base::with_thousands(setup.rows),
             base::human_bytes(setup.memory), comm.size(), runs);
  fmt::print(
      "quasar:   {:7.1f} s  {:6.2f} M rows/s; peak memory of a rank {} over its start (ceiling {} + 32 "
      "MiB)\n",
      ours, million / ours, base::human_bytes(static_cast<std::uint64_t>(grown)),
      base::human_bytes(setup.memory / ranks));
  write_sort_input(setup);
  const double theirs_begin = benchmarks::processor_seconds();
  const double theirs = benchmarks::seconds_of([&] {
    shell(setup, fmt::format("LC_ALL=C sort -S {}M --parallel={} -T . -o sorted.txt input.txt",
                             setup.memory >> 20U, cores));
  });
  const double theirs_processor = benchmarks::processor_seconds() - theirs_begin;
  fmt::print("GNU sort: {:7.1f} s  {:6.2f} M rows/s with {} threads\n", theirs, million / theirs, cores);
  fmt::print("ratio:    {:7.2f} (rows/s of quasar / rows/s of GNU sort)\n", theirs / ours);
  fmt::print("processor time of all threads: quasar {:.1f} s, GNU sort {:.1f} s, ratio {:.2f}\n",
             ours_processor, theirs_processor, theirs_processor / ours_processor);
  std::string parts;
  for (int rank = 0; rank < comm.size(); ++rank) parts += " ranked-" + std::to_string(rank);
  shell(setup, "cat" + parts + " | cmp - sorted.txt");
  fmt::print("both rankings are byte-identical\n");
  std::filesystem::remove_all(setup.folder);
  const bool within = static_cast<std::uint64_t>(grown) <= setup.memory / ranks + (std::uint64_t{32} << 20U);
  if (!within) fmt::print("the memory ceiling was exceeded\n");
  return within ? 0 : 1;
}
