// Ranking as a whole: from stored shards to manifests on disk, rows/s and peak memory under a ceiling.
//
//   manifest_benchmark [rows = 1000000] [memory of a rank in MiB = 64] [folder for temporary files]
//
// Each row carries what a row of a web scrape carries: a tar member with offset and hash, two scores, and a
// JSON object with url and caption. Beside it stands the rate at which the same machine copies the bytes of
// the manifests, the limit for any program that writes them.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "base/random.h"
#include "comm/communicator.h"
#include "curation/manifest.h"
#include "store/embedding_shard.h"
#include "store/score_shard.h"
#include "support.h"

namespace {

using namespace quasar;

constexpr std::uint64_t kRowsPerShard = 10000;
const std::vector<std::string> kColumns = {"quality", "aesthetics"};

float score_of(std::uint64_t bits) {
  return static_cast<float>(0.25 + static_cast<double>(bits >> 40U) * 0x1.0p-25);
}

void write_shard(const curation::RankInput& input, std::size_t index, std::uint64_t rows) {
  store::ShardHeader header;
  header.encoder = {"synthetic", "0", "none", "float32"};
  header.plan_fingerprint = "synthetic";
  header.shard = input.shards[index];
  header.dimension = 1;
  store::ScoreShard scores;
  scores.shard = header.shard;
  scores.names = kColumns;
  scores.anchor_fingerprints = {"1", "2"};
  std::vector<store::RowRecord> records(rows);
  std::vector<float> embeddings(rows, 1.0F);
  for (std::uint64_t i = 0; i < rows; ++i) {
    const std::uint64_t row = input.shard_first[index] + i;
    const std::uint64_t bits = base::split_mix(row);
    auto& record = records[i];
    record.source = fmt::format("/data/scrape/{:05}.tar", index);
    record.member = fmt::format("{:09}.jpg", row);
    record.id = fmt::format("{:05}.tar/{}", index, record.member);
    record.offset = i * 65536;
    record.bytes = 1000 + bits % 60000;
    record.hash = fmt::format("{:016x}{:016x}", bits, base::split_mix(bits));
    record.width = 640;
    record.height = 480;
    record.fields =
        fmt::format(R"({{"caption":"picture number {}","url":"https://example.org/{:x}"}})", row, bits);
    const bool failed = bits % 50 == 0;
    if (failed) {
      record.status = base::RowStatus::kDecodeFailed;
      embeddings[i] = std::numeric_limits<float>::quiet_NaN();
    }
    scores.scores.push_back(failed ? embeddings[i] : score_of(bits));
    scores.scores.push_back(failed ? embeddings[i] : score_of(base::split_mix(bits)));
  }
  scores.embeddings_xxh128 =
      store::write_embedding_shard(input.embeddings.shard(header.shard), header, records, embeddings);
  store::write_score_shard(input.scores.scores(header.shard), scores);
}

curation::RankInput write_run(const std::filesystem::path& run, std::uint64_t rows,
                              const comm::Communicator& comm) {
  curation::RankInput input{store::DataSetLayout(run), store::RunLayout(run), {}, {}};
  comm.on_root([&] {
    base::make_directories(input.embeddings.embeddings());
    base::make_directories(input.scores.scores());
  });
  for (std::uint64_t first = 0; first < rows; first += kRowsPerShard) {
    input.shards.push_back(static_cast<int>(first / kRowsPerShard));
    input.shard_first.push_back(first);
  }
  comm.together([&] {
    for (auto i = static_cast<std::size_t>(comm.rank()); i < input.shards.size();
         i += static_cast<std::size_t>(comm.size())) {
      write_shard(input, i, std::min(kRowsPerShard, rows - input.shard_first[i]));
    }
  });
  return input;
}

void copy_synced(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::ifstream in(from, std::ios::binary);
  base::AtomicFile out(to);
  std::vector<char> block(std::size_t{1} << 20U);
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    out.write(std::string_view(block.data(), static_cast<std::size_t>(in.gcount())));
  }
  out.commit();
}

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(argc, argv, "manifest_benchmark [rows] [memory in MiB] [folder]");
  const comm::Environment environment(argc, argv);
  const auto comm = comm::Communicator::world();
  const std::uint64_t rows = arguments.number(1, 1'000'000);
  curation::CurationConfig config;
  config.memory = static_cast<std::int64_t>(arguments.number(2, 64) << 20U);
  config.top_fraction = 0.3;
  const auto run = std::filesystem::absolute(arguments.folder(3, ".")) / "manifest-benchmark-tmp";
  const auto input = write_run(run, rows, comm);

  // The peak so far is that of writing the shards; the kernel forgets it at this.
  benchmarks::reset_memory_peak();
  curation::CurationResult result;
  const double seconds = benchmarks::seconds_of(
      [&] { result = curation::write_manifests(store::RunLayout(run), input, kColumns, config, {}, comm); });
  const auto peak =
      comm.all_reduce(static_cast<std::int64_t>(benchmarks::memory_status("VmHWM")), comm::Reduction::kMax);
  if (!comm.is_root()) return 0;

  const std::uint64_t bytes =
      std::filesystem::file_size(run / "manifest.csv") + std::filesystem::file_size(run / "manifest.jsonl");
  const double copying = benchmarks::seconds_of([&] {
    copy_synced(run / "manifest.csv", run / "copy.csv");
    copy_synced(run / "manifest.jsonl", run / "copy.jsonl");
  });
  fmt::print("{} rows, {} kept, {} ranks with {} each\n", base::with_thousands(result.rows),
             base::with_thousands(result.kept), comm.size(),
             base::human_bytes(static_cast<std::uint64_t>(config.memory)));
  fmt::print("manifests: {:.1f} s, {:.2f} M rows/s, {} of text\n", seconds,
             static_cast<double>(rows) / 1e6 / seconds, base::human_bytes(bytes));
  fmt::print("copying that text: {:.1f} s, {:.2f} M rows/s\n", copying,
             static_cast<double>(rows) / 1e6 / copying);
  fmt::print("peak memory of a rank, program and libraries included: {}\n",
             base::human_bytes(static_cast<std::uint64_t>(peak)));
  std::filesystem::remove_all(run);
  return 0;
}
