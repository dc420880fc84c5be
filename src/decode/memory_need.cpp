#include "decode/memory_need.h"

#include <algorithm>
#include <string_view>

#include "image/resize.h"

namespace quasar::decode {
namespace {

/// What a format's decoder holds beside what is made of its rows.
struct DecoderNeed {
  std::string_view format;
  /// Bytes for each byte of the picture as the loader gives it (all channels, at the file's depth): rows come
  /// one by one, or the whole is decoded at once;
  double plain;
  double passes;        ///< progressive or interlaced.
  std::uint64_t lines;  ///< Rows that are held between decoder and picture, in all steps.
  bool streams;         ///< Gives rows as it goes; another fills the whole picture first.
};

/// Each number is what was measured as the peak of a worker, rounded up (tests/decode/memory_test.cpp
/// measures again).
constexpr DecoderNeed kDecoders[] = {
    {"jpeg", 0, 2, 96, true},   // Rows; progressive: all coefficients, 2 bytes for a sample, at full chroma.
    {"png", 0, 1, 256, true},   // Rows; interlaced: the picture once more.
    {"webp", 4, 4, 256, true},  // The frame and its canvas as RGBA; lossless: the codec's own copy.
    {"tiff", 2.4, 2.4, 256, true},  // Strips or tiles, of which one may be the whole, held twice; or RGBA.
    {"gif", 0, 0, 256, false},      // Pixels go to their places.
    {"heif", 4, 4, 256, true},      // The codec's planes and their references, and the picture as RGB.
};

/// Rows beside those of a crop that resampling reaches for, in the crop's scale.
constexpr std::uint64_t kTaps = 8;
/// Libraries, tables and small blocks, whatever the picture.
constexpr std::uint64_t kFixed = std::uint64_t{16} << 20U;
/// A degradation's planes of floats (3 channels of 4 bytes) and their copies, bytes for a pixel.
constexpr std::uint64_t kDistortion = 64;

DecoderNeed decoder_of(const image::Header& header) {
  for (const auto& decoder : kDecoders) {
    if (decoder.format == header.format) return decoder;
  }
  return {header.format, 4, 4, 256, false};
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
  const DecoderNeed format = decoder_of(header);
  const auto decoder = static_cast<std::uint64_t>(
      (header.whole_passes ? format.passes : format.plain) *
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
  // What is made of the rows as they come, and the whole picture before, where it is turned or degraded.
  const bool whole = !format.streams || header.turned || distorted;
  const std::uint64_t decoding =
      decoder + (whole ? raster : 0) + (between != 0 ? between : fitted) + width * loaded * format.lines;
  const std::uint64_t turning = header.turned ? 2 * raster : 0;
  const std::uint64_t distorting = distorted ? pixels * kDistortion : 0;
  const std::uint64_t resampling =
      std::max({(whole ? raster : 0) + between, between + fitted, fitted + as_rgb});
  need.own = kFixed + std::max({decoding, turning, distorting, resampling});
  return need;
}

}  // namespace quasar::decode
