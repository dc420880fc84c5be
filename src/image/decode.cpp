#include "image/decode.h"

#include <algorithm>
#include <string>
#include <utility>

#include "image/byte_limit.h"
#include "image/gif_reader.h"
#include "image/messages.h"
#include "image/reader.h"
#include "image/resize.h"
#include "image/vips_reader.h"

namespace quasar::image {
namespace {

using base::RowStatus;

void fail(Prepared& result, RowStatus status, std::string error) {
  result.status = status;
  result.error = std::move(error);
  result.image = {};
}

/// Refuses by the header alone. True when the pixels may be decoded.
bool within_limits(const Header& header, const DecodeConfig& config, int min_side, Prepared& result) {
  result.width = header.width;
  result.height = header.height;
  const auto pixels = static_cast<std::int64_t>(result.width) * result.height;
  const std::string size = std::to_string(result.width) + "x" + std::to_string(result.height) + " pixels";
  if (pixels > config.max_pixels || std::max(result.width, result.height) > config.max_side) {
    fail(result, RowStatus::kTooManyPixels,
         size + ", more than decode.max_pixels " + std::to_string(config.max_pixels) +
             " or decode.max_side " + std::to_string(config.max_side));
    return false;
  }
  const int least = std::max(config.min_side, min_side);
  if (std::min(result.width, result.height) < least) {
    fail(result, RowStatus::kTooSmall,
         size + ", and the shorter side must be at least " + std::to_string(least));
    return false;
  }
  return true;
}

/// How many times smaller a JPEG or WebP of that size may be decoded so that twice the side that the encoder
/// wants remains: below that, the decoder's crude average would show behind the resampling.
int decode_shrink(int width, int height, const base::InputSpec& spec) {
  constexpr int kMargin = 2;
  constexpr int kMost = 8;
  if (spec.resize == base::ResizeRule::kNone) return 1;
  const std::int64_t wanted = std::int64_t{kMargin} * spec.size;
  int shrink = 1;
  while (shrink < kMost && std::min(width, height) / (2 * shrink) >= wanted) shrink *= 2;
  return shrink;
}

/// How much of a picture there is that is not whole, and why not.
std::string describe_loss(const Reading& reading, int height) {
  const std::string there =
      reading.coarse ? "all rows are there, in less than their full detail"
                     : std::to_string(reading.rows) + " of " + std::to_string(height) + " rows are there (" +
                           std::to_string(std::int64_t{100} * reading.rows / height) + " %)";
  return there + "; " + reading.error;
}

/// What is to become of a picture whose pixels were read. True where there is one.
bool accept(const Reading& reading, const DecodeConfig& config, int height, Prepared& result) {
  if (reading.status == RowStatus::kOk) return true;
  if (reading.status != RowStatus::kDecodeFailed || (reading.rows == 0 && !reading.coarse)) {
    fail(result, reading.status, reading.error);
    return false;
  }
  if (config.truncated == TruncatedPictures::kKeep) {
    result.error = "truncated: " + describe_loss(reading, height);
    return true;
  }
  fail(result, reading.status, describe_loss(reading, height));
  return false;
}

/// The file's pixels in its own mode; empty, with the status set, when there are none. With `spec` and
/// decode.mode fast, fewer pixels than the file has where that suffices for the spec.
Raster load(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec* spec,
            const Admission& admit, Prepared& result) {
  if (bytes.empty()) {
    fail(result, RowStatus::kEmpty, "zero bytes");
    return {};
  }
  if (auto error = too_many_bytes(bytes.size(), config); !error.empty()) {
    fail(result, RowStatus::kTooManyBytes, std::move(error));
    return {};
  }
  // What was left by an attempt that did not ask.
  forget_messages();
  const auto opened = is_gif(bytes) ? open_gif(bytes) : open_vips(bytes);
  if (!opened.reader) {
    result.format = opened.format;
    fail(result, opened.status, opened.error);
    return {};
  }
  Reader& reader = *opened.reader;
  Header header = reader.header();
  result.format = header.format;
  if (!within_limits(header, config, spec != nullptr ? spec->min_side : 1, result)) return {};
  if (spec != nullptr && config.mode == DecodeMode::kFast) {
    const int factor = decode_shrink(result.width, result.height, *spec);
    const auto shrunk = factor > 1 ? reader.shrink(factor) : Reading{};
    if (shrunk.status != RowStatus::kOk) {
      fail(result, shrunk.status, shrunk.error);
      return {};
    }
    header = reader.header();
  }
  const int orientation = config.honour_orientation ? reader.orientation() : 1;
  header.turned = orientation > 1;
  header.file_bytes = bytes.size();
  if (admit && !admit(header)) {
    fail(result, RowStatus::kOutOfMemory, "the memory that it needs is refused");
    return {};
  }
  Raster raster;
  const auto reading = reader.pixels(raster);
  if (!accept(reading, config, header.decoded_height, result)) return {};
  if (orientation > 1 && !turn(raster, orientation)) {
    fail(result, RowStatus::kOutOfMemory, "there is no memory to turn it in");
    return {};
  }
  if (config.perceptual_hashes > 0)
    result.hashes = pdq_hashes(raster, static_cast<std::size_t>(config.perceptual_hashes));
  return raster;
}

}  // namespace

Prepared decode(std::span<const std::byte> bytes, const DecodeConfig& config, const Admission& admit) {
  Prepared result;
  Raster raster = load(bytes, config, nullptr, admit, result);
  if (result.status == RowStatus::kOk) result.image = to_rgb(std::move(raster));
  return result;
}

Prepared prepare(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec& spec,
                 const Admission& admit) {
  Prepared result;
  Raster raster = load(bytes, config, &spec, admit, result);
  if (result.status != RowStatus::kOk) return result;
  if (config.mode == DecodeMode::kExact) {
    result.image = fit(std::move(raster), spec);
    return result;
  }
  // Pictures turned by their orientation have the header's sides the other way round.
  const bool turned = (raster.width > raster.height) != (result.width > result.height);
  const int width = turned ? result.height : result.width;
  const int height = turned ? result.width : result.height;
  result.image = fit(std::move(raster), width, height, spec);
  return result;
}

}  // namespace quasar::image
