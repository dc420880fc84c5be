// Decoding and preprocessing of one thread: decode.mode exact against fast.
//
//   decode_benchmark FOLDER [side = 224] [rounds = 5]
//
// FOLDER holds pictures (JPEG and WebP can gain; take large ones). For each mode: milliseconds per picture
// (the best round) and megapixels of the files per second. "decode alone" is full-size decoding without
// resampling: what exact cannot go below.
// "exact, hashed" makes a perceptual hash of each picture, too, and "exact, 8 poses" all eight.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/allocator.h"
#include "base/atomic_file.h"
#include "image/decode.h"
#include "image/vips_environment.h"
#include "support.h"

namespace {

using namespace quasar;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

int main(int argc, char** argv) {
  const benchmarks::Arguments arguments(argc, argv, "decode_benchmark FOLDER [side] [rounds]");
  if (argc < 2) arguments.refuse("no folder");
  base::reuse_freed_memory();  // As the programs do.
  const image::VipsEnvironment vips;
  const base::InputSpec spec{.size = static_cast<int>(arguments.number(2, 224))};
  const int rounds = static_cast<int>(arguments.number(3, 5));
  std::vector<std::string> files;
  double megapixels = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments.folder(1, "."))) {
    if (!entry.is_regular_file()) continue;
    std::string content = base::read_file(entry.path());
    const auto prepared = image::prepare(bytes_of(content), {}, spec);
    if (prepared.status != base::RowStatus::kOk) continue;
    megapixels += static_cast<double>(prepared.width) * prepared.height / 1e6;
    files.push_back(std::move(content));
  }
  if (files.empty()) {
    fmt::print(stderr, "decode_benchmark: no picture in {}\n", argv[1]);
    return 4;
  }
  const auto pictures = static_cast<double>(files.size());
  fmt::print("{} pictures, mean {:.2f} megapixels, to {} px, one thread\n", files.size(),
             megapixels / pictures, spec.size);
  const image::DecodeConfig exact;
  const image::DecodeConfig hashed{.perceptual_hashes = 1};
  const image::DecodeConfig posed{.perceptual_hashes = 8};
  const image::DecodeConfig fast{.mode = image::DecodeMode::kFast};
  std::vector<double> best(5, std::numeric_limits<double>::infinity());
  for (int round = 0; round < rounds; ++round) {
    const auto measure = [&](std::size_t which, const auto& work) {
      const auto all = [&] {
        for (const auto& file : files) work(bytes_of(file));
      };
      best[which] = std::min(best[which], benchmarks::seconds_of(all, benchmarks::processor_seconds));
    };
    measure(0, [&](auto bytes) { image::decode(bytes, exact); });
    measure(1, [&](auto bytes) { image::prepare(bytes, exact, spec); });
    measure(2, [&](auto bytes) { image::prepare(bytes, hashed, spec); });
    measure(3, [&](auto bytes) { image::prepare(bytes, posed, spec); });
    measure(4, [&](auto bytes) { image::prepare(bytes, fast, spec); });
  }
  const char* const names[] = {"decode alone", "exact", "exact, hashed", "exact, 8 poses", "fast"};
  for (std::size_t i = 0; i < best.size(); ++i) {
    fmt::print("{:14}{:8.2f} ms/picture{:8.1f} MP/s\n", names[i], 1e3 * best[i] / pictures,
               megapixels / best[i]);
  }
  fmt::print("exact takes {:.2f} times decoding alone\n", best[1] / best[0]);
  fmt::print("a hash adds {:.1f} % of decoding alone, eight poses {:.1f} %\n",
             100 * (best[2] - best[1]) / best[0], 100 * (best[3] - best[1]) / best[0]);
  fmt::print("fast is {:.2f} times as fast as exact\n", best[1] / best[4]);
  return 0;
}
