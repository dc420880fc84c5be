#include "image/decode.h"

#include <algorithm>
#include <string>
#include <utility>

#include "image/byte_limit.h"
#include "image/gif_reader.h"
#include "image/messages.h"
#include "image/reader.h"
#include "image/resampler.h"
#include "image/row_sink.h"
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

/// Gives each row to two.
class Both final : public RowSink {
 public:
  Both(RowSink& first, RowSink& second) : first_(first), second_(second) {}

  void begin(const Raster& shape) override {
    first_.begin(shape);
    second_.begin(shape);
  }
  void rows(const std::uint8_t* const* rows, int count) override {
    first_.rows(rows, count);
    second_.rows(rows, count);
  }

 private:
  RowSink& first_;
  RowSink& second_;
};

/// Gives the file's pixels to the sink, in their own mode. False, with the status set, when there are none.
/// With `spec` and decode.mode fast, fewer pixels than the file has where that suffices for the spec.
bool load(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec* spec,
          const Admission& admit, RowSink& sink, Prepared& result) {
  if (bytes.empty()) {
    fail(result, RowStatus::kEmpty, "zero bytes");
    return false;
  }
  if (auto error = too_many_bytes(bytes.size(), config); !error.empty()) {
    fail(result, RowStatus::kTooManyBytes, std::move(error));
    return false;
  }
  // What was left by an attempt that did not ask.
  forget_messages();
  const auto opened = is_gif(bytes) ? open_gif(bytes) : open_vips(bytes);
  if (!opened.reader) {
    result.format = opened.format;
    fail(result, opened.status, opened.error);
    return false;
  }
  Reader& reader = *opened.reader;
  Header header = reader.header();
  result.format = header.format;
  if (!within_limits(header, config, spec != nullptr ? spec->min_side : 1, result)) return false;
  if (spec != nullptr && config.mode == DecodeMode::kFast) {
    const int factor = decode_shrink(result.width, result.height, *spec);
    const auto shrunk = factor > 1 ? reader.shrink(factor) : Reading{};
    if (shrunk.status != RowStatus::kOk) {
      fail(result, shrunk.status, shrunk.error);
      return false;
    }
    header = reader.header();
  }
  const int orientation = config.honour_orientation ? reader.orientation() : 1;
  header.turned = orientation > 1;
  header.file_bytes = bytes.size();
  if (admit && !admit(header)) {
    fail(result, RowStatus::kOutOfMemory, "the memory that it needs is refused");
    return false;
  }
  PdqRows hashed;
  Both both(sink, hashed);
  RowSink& all = config.perceptual_hashes > 0 ? static_cast<RowSink&>(both) : sink;
  if (orientation <= 1) {
    if (!accept(reader.pixels(all), config, header.decoded_height, result)) return false;
  } else {
    WholePicture whole;
    if (!accept(reader.pixels(whole), config, header.decoded_height, result)) return false;
    Raster raster = whole.release();
    if (!turn(raster, orientation)) {
      fail(result, RowStatus::kOutOfMemory, "there is no memory to turn it in");
      return false;
    }
    all.take(std::move(raster));
  }
  if (config.perceptual_hashes > 0)
    result.hashes = hashed.hashes(static_cast<std::size_t>(config.perceptual_hashes));
  return true;
}

}  // namespace

Prepared decode(std::span<const std::byte> bytes, const DecodeConfig& config, const Admission& admit) {
  Prepared result;
  WholePicture whole;
  if (load(bytes, config, nullptr, admit, whole, result)) result.image = to_rgb(whole.release());
  return result;
}

Prepared prepare(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec& spec,
                 const Admission& admit) {
  Prepared result;
  Resampler resampler([&](const Raster& shape) {
    if (config.mode == DecodeMode::kExact) return fit_target(shape, shape.width, shape.height, spec);
    // Pictures turned by their orientation have the header's sides the other way round.
    const bool turned = (shape.width > shape.height) != (result.width > result.height);
    return turned ? fit_target(shape, result.height, result.width, spec)
                  : fit_target(shape, result.width, result.height, spec);
  });
  if (load(bytes, config, &spec, admit, resampler, result)) result.image = to_rgb(resampler.finish());
  return result;
}

}  // namespace quasar::image
