#include "decode/memory_need.h"

#include <algorithm>
#include <string_view>

#include "image/resize.h"

namespace quasar::decode {
namespace {

/// Bytes that a format's decoder holds beside the picture that it fills, for each byte of the picture as the
/// loader gives it (all channels, at the file's depth).
struct DecoderFactor {
  std::string_view format;
  double plain;   ///< Rows come one by one, or the whole is decoded at once.
  double passes;  ///< Progressive or interlaced.
};

/// Each factor is what was measured as the peak of a worker, rounded up (tests/decode/memory_test.cpp
/// measures again): JPEG  rows; progressive: all coefficients, 2 bytes a sample, at full chroma. PNG   rows;
/// interlaced: the picture once more. WebP  the frame, and as much again for a lossless one's. TIFF  a strip
/// or tile, which may be the whole, as stored and as given. GIF   the canvas, the frame, and both as RGBA.
/// HEIF  planes of the decoder, its references, and the picture as RGB.
constexpr DecoderFactor kDecoders[] = {
    {"jpeg", 0, 2}, {"png", 0, 1}, {"webp", 3, 3}, {"tiff", 2, 2}, {"gif", 4, 4}, {"heif", 4, 4},
};

/// Rows that libvips holds between a decoder and the picture, in each of its steps.
constexpr std::uint64_t kRows = 128;
/// Libraries, tables and small blocks, whatever the picture.
constexpr std::uint64_t kFixed = std::uint64_t{8} << 20U;
/// A degradation's planes of floats (3 channels of 4 bytes) and their copies, bytes per pixel.
constexpr std::uint64_t kDistortion = 72;

double decoder_factor(const image::Header& header) {
  for (const auto& decoder : kDecoders) {
    if (decoder.format == header.format) return header.whole_passes ? decoder.passes : decoder.plain;
  }
  return 4;
}

}  // namespace

MemoryNeed memory_need(const image::Header& header, const base::InputSpec& spec, bool distorted) {
  const auto unsigned_of = [](int value) { return static_cast<std::uint64_t>(std::max(value, 0)); };
  const std::uint64_t width = unsigned_of(header.decoded_width);
  const std::uint64_t height = unsigned_of(header.decoded_height);
  const std::uint64_t pixels = width * height;
  const std::uint64_t loaded = unsigned_of(header.channels) * unsigned_of(header.sample_bytes);
  const std::uint64_t channels = std::clamp<std::uint64_t>(unsigned_of(header.channels), 1, 4);
  const std::uint64_t raster = pixels * channels;
  const auto decoder = static_cast<std::uint64_t>(
      decoder_factor(header) *
      static_cast<double>(unsigned_of(header.width) * unsigned_of(header.height) * loaded));
  const auto [left_width, left_height] = header.turned
                                             ? image::fitted_size(header.height, header.width, spec)
                                             : image::fitted_size(header.width, header.height, spec);
  MemoryNeed need;
  need.output = unsigned_of(left_width) * unsigned_of(left_height) * 3;
  const std::uint64_t fitted = unsigned_of(left_width) * unsigned_of(left_height) * channels;
  // Between the two passes of resampling: the columns of the result, and at most all rows of the picture.
  // With the sides of a turned picture the other way round.
  const std::uint64_t between = unsigned_of(left_width) * (header.turned ? width : height) * channels;
  const std::uint64_t decoding = decoder + raster + width * loaded * kRows;
  const std::uint64_t turning = header.turned ? 2 * raster : 0;
  const std::uint64_t distorting = distorted ? pixels * (kDistortion + 6) : 0;
  const std::uint64_t resampling = raster + between + 2 * fitted + need.output;
  need.own = kFixed + std::max({decoding, turning, distorting, resampling});
  return need;
}

}  // namespace quasar::decode
