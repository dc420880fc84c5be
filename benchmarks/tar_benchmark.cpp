// Tar shards: MB/s of indexing and of reading every member, against `tar -xOf FILE > /dev/null` of the same
// file in the same run.
//
//   tar_benchmark [size of the tar in MB = 1024] [mean image in KB = 100] [folder = that for temporary files]
//
// The tar is in the page cache for both and each works in one thread, so that seconds are those of the
// processor, tar's own counted: the figures compare the programs, not the disk nor what else the machine
// does. Bytes read are counted by the kernel (/proc/self/io).
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/random.h"
#include "corpus/plan.h"
#include "corpus/shard_reader.h"
#include "support.h"

namespace {

using namespace quasar;

constexpr int kRounds = 3;
constexpr std::size_t kBlock = 512;

/// A ustar member, as img2dataset lays samples out: picture, .json, .txt.
void append_member(const std::string& name, const std::string& data, base::AtomicFile& tar) {
  std::string block(kBlock, '\0');
  block.replace(0, name.size(), name);
  block.replace(100, 8, std::string_view("0000644\0", 8));
  block.replace(124, 11, fmt::format("{:011o}", data.size()));
  block[156] = '0';
  block.replace(257, 8, std::string_view("ustar\00000", 8));
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  block.replace(148, 7, fmt::format("{:06o}", sum) + std::string(1, '\0'));
  tar.write(block);
  tar.write(data);
  tar.write(std::string((kBlock - data.size() % kBlock) % kBlock, '\0'));
}

std::uint64_t write_tar(const std::filesystem::path& path, std::uint64_t bytes, std::uint64_t mean) {
  base::AtomicFile tar(path);
  base::Random random(1);
  std::string noise(4 * mean, '\0');
  for (auto& c : noise) c = static_cast<char>(random.next() >> 56U);
  std::uint64_t images = 0;
  for (std::uint64_t done = 0; done < bytes; ++images) {
    const std::uint64_t size = mean / 4 + random.below(mean * 3 / 2);
    append_member(fmt::format("{:09}.jpg", images), noise.substr(random.below(mean), size), tar);
    append_member(fmt::format("{:09}.json", images),
                  fmt::format("{{\"url\":\"http://x/{}\",\"caption\":\"c\"}}", images), tar);
    append_member(fmt::format("{:09}.txt", images), "a caption of usual length for a picture", tar);
    done += size;
  }
  tar.write(std::string(2 * kBlock, '\0'));
  tar.commit();
  return images;
}

std::uint64_t bytes_read_so_far() {
  std::ifstream io("/proc/self/io");
  std::string key;
  std::uint64_t value = 0;
  io >> key >> value;
  return value;
}

corpus::CorpusConfig config_of(const std::filesystem::path& tar, bool fields) {
  corpus::CorpusConfig config;
  config.sources.emplace_back();
  config.sources[0].kind = corpus::SourceKind::kTar;
  config.sources[0].patterns = {tar.string()};
  if (fields) config.sources[0].fields = {"url", "caption"};
  return config;
}

/// The fastest of several runs, and the bytes that this process read in one.
struct Best {
  double seconds = std::numeric_limits<double>::infinity();
  std::uint64_t bytes_read = 0;

  void measure(const std::function<void()>& work) {
    const std::uint64_t before = bytes_read_so_far();
    seconds = std::min(seconds, benchmarks::seconds_of(work, benchmarks::processor_seconds));
    bytes_read = bytes_read_so_far() - before;
  }
};

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(argc, argv, "tar_benchmark [MB] [mean image in KB] [folder]");
  const std::uint64_t megabytes = arguments.number(1, 1024);
  const std::uint64_t mean = arguments.number(2, 100) * 1000;
  const auto folder = arguments.folder(3, std::filesystem::temp_directory_path());
  const auto path = folder / fmt::format("quasar-tar-benchmark-{}.tar",
                                         std::chrono::steady_clock::now().time_since_epoch().count());
  const std::uint64_t images = write_tar(path, megabytes * 1'000'000, mean);
  const auto size = static_cast<double>(std::filesystem::file_size(path));

  const auto plan = corpus::Plan::make(config_of(path, false));
  std::uint64_t sum = 0;
  const auto read_all = [&] {
    sum = 0;
    std::vector<std::byte> bytes;
    for (const auto& shard : plan.shards()) {
      const corpus::ShardReader reader(plan.read_items(shard), 1U << 30U);
      for (std::size_t i = 0; i < reader.size(); ++i) {
        if (reader.read(i, bytes).status != base::RowStatus::kOk) std::abort();
        sum += bytes.size();
      }
    }
  };
  const auto run_tar = [&] {
    if (std::system(fmt::format("tar -xOf '{}' > /dev/null", path.string()).c_str()) != 0) std::abort();
  };
  Best tar;
  Best fields;
  Best index;
  Best read;
  for (int round = 0; round < kRounds; ++round) {
    tar.measure(run_tar);
    fields.measure([&] { corpus::Plan::make(config_of(path, true)); });
    index.measure([&] { corpus::Plan::make(config_of(path, false)); });
    read.measure(read_all);
  }
  std::filesystem::remove(path);

  const double mb = size / 1e6;
  const auto line = [&](const char* what, const Best& best) {
    fmt::print("{:27} {:5.0f} MB/s, {:6.2f}% of the bytes read\n", what, mb / best.seconds,
               100 * static_cast<double>(best.bytes_read) / size);
  };
  fmt::print("{} images, {:.1f} MB in a tar of {:.1f} MB, best of {}\n", images,
             static_cast<double>(sum) / 1e6, mb, kRounds);
  fmt::print("{:27} {:5.0f} MB/s\n", "tar -xO > /dev/null", mb / tar.seconds);
  line("index (plan)", index);
  line("index with .json fields", fields);
  line("read every image", read);
  fmt::print("as fast as tar -xO: reading {:.2f} times, index and reading {:.2f} times\n",
             tar.seconds / read.seconds, tar.seconds / (index.seconds + read.seconds));
}
