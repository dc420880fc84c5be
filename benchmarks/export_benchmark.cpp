// WebDataset exports: MB/s of one rank, from a folder and from a tar, against `tar -cf` of the same files of
// that folder (each picture, its .json and its .txt) in the same run.
//
//   export_benchmark [pictures in MB = 512] [mean picture in KB = 100] [folder = that for temporary files]
//
// In score order, which is none of the sources', so that samples are read in another order than they are
// written in. Sources are in the page cache, and what is written is synced to disk by both, export by itself
// and tar by `sync FILE`. Seconds of the processor compare the programs (export also has the xxh128 of every
// picture, the MD5 of every tar, and JSON); wall seconds are the disk's, too. The best of three rounds.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/checksum.h"
#include "base/random.h"
#include "comm/communicator.h"
#include "exports/export.h"
#include "exports/tar_format.h"
#include "support.h"

namespace {

using namespace quasar;
namespace fs = std::filesystem;

constexpr int kRounds = 3;

struct Picture {
  std::string key;
  std::string bytes;
  std::string json;
  std::string text;
};

/// Pictures of random bytes, as a tar's or a folder's program sees them.
std::vector<Picture> make_pictures(std::uint64_t bytes, std::uint64_t mean) {
  base::Random random(1);
  std::string noise(4 * mean, '\0');
  for (auto& c : noise) c = static_cast<char>(random.next() >> 56U);
  std::vector<Picture> pictures;
  for (std::uint64_t done = 0; done < bytes; done += pictures.back().bytes.size()) {
    const auto key = fmt::format("{:09}", pictures.size());
    pictures.push_back({key, noise.substr(random.below(mean), mean / 4 + random.below(mean * 3 / 2)),
                        fmt::format("{{\"url\":\"http://x/{}\",\"caption\":\"c\"}}", key),
                        "a caption of usual length for a picture"});
  }
  return pictures;
}

/// A ranked run as exports see it: the two files that say what is kept.
void write_run(const store::RunLayout& run, std::vector<nlohmann::ordered_json> rows) {
  base::Random random(2);
  random.shuffle(std::span(rows));
  std::string lines;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i]["rank"] = i + 1;
    rows[i].update({{"quality", 1.0 - static_cast<double>(i) / static_cast<double>(rows.size())},
                    {"status", "ok"},
                    {"keep", true},
                    {"reason", "all"},
                    {"format", "jpeg"}});
    lines += rows[i].dump() + "\n";
  }
  base::make_directories(run.root());
  base::write_file_atomically(run.manifest_jsonl(), lines);
  const nlohmann::json summary = {
      {"files",
       {{"manifest.jsonl",
         {{"bytes", lines.size()}, {"xxh128", base::xxh128_hex(std::as_bytes(std::span(lines)))}}}}}};
  base::write_file_atomically(run.summary(), summary.dump());
}

struct Best {
  double wall = std::numeric_limits<double>::infinity();
  double processor = std::numeric_limits<double>::infinity();

  void measure(const std::function<void()>& work) {
    const double before = benchmarks::processor_seconds();
    wall = std::min(wall, benchmarks::seconds_of(work));
    processor = std::min(processor, benchmarks::processor_seconds() - before);
  }
};

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(argc, argv, "export_benchmark [MB] [mean picture in KB] [folder]");
  const comm::Environment environment(argc, argv);
  const auto comm = comm::Communicator::world();
  const std::uint64_t megabytes = arguments.number(1, 512);
  const std::uint64_t mean = arguments.number(2, 100) * 1000;
  const auto folder =
      arguments.folder(3, fs::temp_directory_path()) /
      fmt::format("quasar-export-benchmark-{}", std::chrono::steady_clock::now().time_since_epoch().count());
  fs::create_directories(folder / "pictures");

  const auto pictures = make_pictures(megabytes * 1'000'000, mean);
  std::vector<nlohmann::ordered_json> in_folder;
  std::vector<nlohmann::ordered_json> in_tar;
  double bytes = 0;
  {
    base::AtomicFile tar(folder / "source.tar");
    base::AtomicFile list(folder / "list");
    std::uint64_t offset = 0;
    for (const auto& picture : pictures) {
      for (const auto& [ending, content] :
           {std::pair(".jpg", &picture.bytes), std::pair(".json", &picture.json),
            std::pair(".txt", &picture.text)}) {
        const auto name = picture.key + ending;
        base::write_file_atomically(folder / "pictures" / name, *content);
        list.write(name + "\n");
        const auto header = exports::tar_header(name, content->size());
        tar.write(header);
        tar.write(*content);
        tar.write(std::string(exports::padded(content->size()) - content->size(), '\0'));
        if (content == &picture.bytes) {
          const nlohmann::ordered_json row = {{"rank", 0},
                                              {"id", name},
                                              {"source", (folder / "pictures" / name).string()},
                                              {"member", ""},
                                              {"offset", 0},
                                              {"bytes", content->size()},
                                              {"hash", base::xxh128_hex(std::as_bytes(std::span(*content)))}};
          in_folder.push_back(row);
          in_tar.push_back(row);
          in_tar.back()["source"] = (folder / "source.tar").string();
          in_tar.back()["member"] = name;
          in_tar.back()["offset"] = offset + header.size();
        }
        offset += header.size() + exports::padded(content->size());
        bytes += static_cast<double>(content->size());
      }
    }
    tar.write(std::string(exports::kTarEnd, '\0'));
    tar.commit();
    list.commit();
  }
  const store::RunLayout folder_run(folder / "folder-run");
  const store::RunLayout tar_run(folder / "tar-run");
  write_run(folder_run, in_folder);
  write_run(tar_run, in_tar);

  corpus::CorpusConfig corpus;
  corpus.sources.emplace_back();
  const auto export_of = [&](const store::RunLayout& run) {
    exports::ExportConfig config;
    config.name = "benchmark";
    config.folder = folder / "out";
    const auto result = exports::write_export(config, {run, corpus, std::uint64_t{1} << 30U, {}, {}},
                                              exports::RetryLeftOut::kNo, comm);
    if (result.samples != pictures.size()) std::abort();
  };
  const auto run_tar = [&] {
    const auto command = fmt::format(
        "tar -cf '{0}/out.tar' -C '{0}/pictures' -T '{0}/list' && sync '{0}/out.tar'", folder.string());
    if (std::system(command.c_str()) != 0) std::abort();
  };
  Best tar;
  Best from_folder;
  Best from_tar;
  for (int round = 0; round < kRounds; ++round) {
    tar.measure(run_tar);
    fs::remove(folder / "out.tar");
    from_folder.measure([&] { export_of(folder_run); });
    fs::remove_all(folder / "out");
    from_tar.measure([&] { export_of(tar_run); });
    fs::remove_all(folder / "out");
  }
  fs::remove_all(folder);

  const double mb = bytes / 1e6;
  const auto line = [&](const char* what, const Best& best) {
    fmt::print("{:<24} {:>8.0f} MB/s of the processor ({:>4.0f}% of tar)  {:>8.0f} MB/s wall ({:>4.0f}%)\n",
               what, mb / best.processor, 100 * tar.processor / best.processor, mb / best.wall,
               100 * tar.wall / best.wall);
  };
  fmt::print("{} samples, {:.0f} MB\n", pictures.size(), mb);
  line("tar -cf, files", tar);
  line("export, from a folder", from_folder);
  line("export, from a tar", from_tar);
  return 0;
}
