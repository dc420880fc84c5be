// Decoding and preprocessing of one thread: decode.mode exact against fast.
//
//   decode_benchmark FOLDER [side = 224] [rounds = 5]
//
// FOLDER holds pictures (JPEG and WebP can gain; take large ones). For each mode: milliseconds per picture
// (the best round) and megapixels of the files per second. "decode alone" is full-size decoding without
// resampling: what exact cannot go below.
// "libjpeg alone" is libjpeg's own work on the JPEGs, each row forgotten: the limit of decoding.
// "exact, hashed" makes a perceptual hash of each picture, too, and "exact, 8 poses" all eight.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
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

// In this order: it does not include what it needs.
#include <jpeglib.h>

namespace {

using namespace quasar;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// All rows of a sound JPEG; its errors end the program.
void decode_with_libjpeg(std::span<const std::byte> bytes) {
  jpeg_error_mgr errors{};
  jpeg_decompress_struct jpeg{};
  jpeg.err = ::jpeg_std_error(&errors);
  jpeg_create_decompress(&jpeg);
  ::jpeg_mem_src(&jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  ::jpeg_read_header(&jpeg, TRUE);
  ::jpeg_start_decompress(&jpeg);
  std::array<std::vector<JSAMPLE>, 16> lines;
  std::array<JSAMPROW, 16> rows{};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    lines[i].resize(static_cast<std::size_t>(jpeg.output_width) *
                    static_cast<std::size_t>(jpeg.output_components));
    rows[i] = lines[i].data();
  }
  while (jpeg.output_scanline < jpeg.output_height)
    ::jpeg_read_scanlines(&jpeg, rows.data(), static_cast<JDIMENSION>(rows.size()));
  ::jpeg_finish_decompress(&jpeg);
  ::jpeg_destroy_decompress(&jpeg);
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
  bool all_jpeg = true;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(arguments.folder(1, "."))) {
    if (!entry.is_regular_file()) continue;
    std::string content = base::read_file(entry.path());
    const auto prepared = image::prepare(bytes_of(content), {}, spec);
    if (prepared.status != base::RowStatus::kOk) continue;
    all_jpeg = all_jpeg && prepared.format == "jpeg";
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
  std::vector<double> best(6, std::numeric_limits<double>::infinity());
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
    if (all_jpeg) measure(5, decode_with_libjpeg);
  }
  const char* const names[] = {"decode alone",   "exact", "exact, hashed",
                               "exact, 8 poses", "fast",  "libjpeg alone"};
  for (std::size_t i = 0; i < best.size() - (all_jpeg ? 0 : 1); ++i) {
    fmt::print("{:14}{:8.2f} ms/picture{:8.1f} MP/s\n", names[i], 1e3 * best[i] / pictures,
               megapixels / best[i]);
  }
  fmt::print("exact takes {:.2f} times decoding alone\n", best[1] / best[0]);
  if (all_jpeg) {
    fmt::print("decoding alone takes {:.2f} times libjpeg alone, exact {:.2f} times\n", best[0] / best[5],
               best[1] / best[5]);
  }
  fmt::print("a hash adds {:.1f} % of decoding alone, eight poses {:.1f} %\n",
             100 * (best[2] - best[1]) / best[0], 100 * (best[3] - best[1]) / best[0]);
  fmt::print("fast is {:.2f} times as fast as exact\n", best[1] / best[4]);
  return 0;
}
