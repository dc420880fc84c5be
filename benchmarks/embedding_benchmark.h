// Owns what the benchmarks of the embedding loop share: photos of a folder as a plan, and the built-in
// encoder.
#pragma once

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "corpus/plan.h"
#include "corpus/shard_reader.h"
#include "encoder/encoder.h"
#include "encoder/make_encoder.h"
#include "image/decode_config.h"

namespace quasar::benchmarks {

/// Seconds by a clock of the system: CLOCK_MONOTONIC, or CLOCK_PROCESS_CPUTIME_ID for what all threads of
/// this program were given.
inline double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// A folder of photos in one shard, and `mini` on the CPU.
struct Photos {
  explicit Photos(const std::filesystem::path& folder)
      : plan(corpus::Plan::make(corpus_of(folder))),
        reader(plan.read_items(plan.shards().front()), static_cast<std::uint64_t>(decode.max_file_bytes)),
        encoder(encoder::make_encoder(mini_on_cpu(), 0)) {}

  static corpus::CorpusConfig corpus_of(const std::filesystem::path& folder) {
    corpus::CorpusConfig config;
    config.sources.resize(1);
    config.sources.front().path = std::filesystem::absolute(folder);
    return config;
  }
  static encoder::EncoderConfig mini_on_cpu() {
    encoder::EncoderConfig config;
    config.device = encoder::DeviceKind::kCpu;
    return config;
  }

  image::DecodeConfig decode;
  corpus::Plan plan;
  corpus::ShardReader reader;
  std::unique_ptr<encoder::Encoder> encoder;
};

/// A folder for the run directories of a benchmark, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quasar-benchmark-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace quasar::benchmarks
