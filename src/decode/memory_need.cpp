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
/// measures again).
constexpr DecoderFactor kDecoders[] = {
    {"jpeg", 0, 2},  // Rows; progressive: all coefficients, 2 bytes for a sample, at full chroma.
    {"png", 0, 1},   // Rows; interlaced: the picture once more.
    {"webp", 4, 4},  // The frame and its canvas as RGBA; lossless: the codec's own copy.
    {"tiff", 2, 2},  // Rows of strips, or of tiles, of which one may be the whole, held twice.
    {"gif", 0, 0},   // Pixels go to their places.
    {"heif", 4, 4},  // The codec's planes and their references, and the picture as RGB.
};

/// Rows that libvips holds between a decoder and the picture, in all its steps.
constexpr std::uint64_t kRows = 256;
/// Rows beside those of a crop that resampling reaches for, in the crop's scale.
constexpr std::uint64_t kTaps = 8;
/// Libraries, tables and small blocks, whatever the picture.
constexpr std::uint64_t kFixed = std::uint64_t{16} << 20U;
/// A degradation's planes of floats (3 channels of 4 bytes) and their copies, bytes for a pixel.
constexpr std::uint64_t kDistortion = 64;

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
  // A turned picture has its sides the other way round.
  const std::uint64_t rows = header.turned ? width : height;
  const std::uint64_t columns = header.turned ? height : width;
  const auto [fit_width, fit_height] = header.turned ? image::fitted_size(header.height, header.width, spec)
                                                     : image::fitted_size(header.width, header.height, spec);
  const std::uint64_t fitted_pixels = unsigned_of(fit_width) * unsigned_of(fit_height);
  MemoryNeed need;
  need.output = fitted_pixels * 3;
  const std::uint64_t fitted = fitted_pixels * channels;
  // Between the two passes of resampling: the rows that the result needs, in its width.
  std::uint64_t between = 0;
  if (unsigned_of(fit_width) != columns || unsigned_of(fit_height) != rows) {
    std::uint64_t used = rows;
    if (spec.center_crop) {
      const auto size = static_cast<std::uint64_t>(spec.size);
      used = std::min(rows, (size + kTaps) * std::max<std::uint64_t>(1, std::min(rows, columns) / size + 1));
    }
    between = unsigned_of(fit_width) * used * channels;
  }
  const std::uint64_t as_rgb = channels == 3 ? 0 : need.output;
  const std::uint64_t decoding = decoder + raster + width * loaded * kRows;
  const std::uint64_t turning = header.turned ? 2 * raster : 0;
  const std::uint64_t distorting = distorted ? pixels * kDistortion : 0;
  const std::uint64_t resampling = std::max({raster + between, between + fitted, fitted + as_rgb});
  need.own = kFixed + std::max({decoding, turning, distorting, resampling});
  return need;
}

}  // namespace quasar::decode
