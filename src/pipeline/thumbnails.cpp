#include "pipeline/thumbnails.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/errors.h"
#include "base/stop_signal.h"
#include "corpus/shard_reader.h"
#include "decode/worker_pool.h"
#include "image/jpeg_writer.h"
#include "image/resize.h"

namespace quasar::pipeline {
namespace {

/// Sides at most, and JPEG qualities: the next where the bytes are too many.
constexpr int kShorterSide = 160;
constexpr int kLongerSide = 320;
constexpr int kQualities[] = {75, 50, 25};

/// A picture that is long and thin, to fit.
image::RgbImage fitted(image::RgbImage picture) {
  const int longer = std::max(picture.width, picture.height);
  if (longer <= kLongerSide) return picture;
  const auto side = [&](int pixels) {
    return std::max(1, static_cast<int>(static_cast<std::int64_t>(pixels) * kLongerSide / longer));
  };
  auto raster = image::resize_bicubic({picture.width, picture.height, 3, false, std::move(picture.pixels)},
                                      side(picture.width), side(picture.height));
  image::RgbImage small(raster.width, raster.height);
  small.pixels = std::move(raster.pixels);
  return small;
}

plot::Thumbnail thumbnail_of(const corpus::ShardReader& reader, std::size_t index, decode::WorkerPool& pool) {
  plot::Thumbnail thumbnail;
  thumbnail.name = reader.item(index).id;
  std::vector<std::byte> bytes;
  const auto read = reader.read(index, bytes);
  if (read.status != base::RowStatus::kOk) {
    thumbnail.missing = read.error;
    return thumbnail;
  }
  auto prepared = pool.decode(0, {.id = thumbnail.name, .distortion = reader.item(index).distortion}, bytes);
  if (!prepared) base::fail(base::ExitCode::kInterrupted, base::stopped_message());
  if (prepared->status != base::RowStatus::kOk) {
    thumbnail.missing = prepared->error;
    return thumbnail;
  }
  const auto picture = fitted(std::move(prepared->image));
  for (const int quality : kQualities) {
    thumbnail.bytes = image::baseline_jpeg(picture, quality);
    if (thumbnail.bytes.size() <= kThumbnailBytes) {
      thumbnail.media_type = "image/jpeg";
      return thumbnail;
    }
  }
  thumbnail.missing = fmt::format("{} bytes as a thumbnail", thumbnail.bytes.size());
  thumbnail.bytes.clear();
  return thumbnail;
}

}  // namespace

std::vector<plot::Thumbnail> thumbnails_of(const RunConfig& config, const dataset::DataSet& corpus,
                                           const std::vector<std::size_t>& rows) {
  std::vector<plot::Thumbnail> thumbnails(rows.size());
  if (rows.empty()) return thumbnails;
  base::InputSpec spec;
  spec.resize = base::ResizeRule::kShorterSideAtMost;
  spec.size = kShorterSide;
  spec.center_crop = false;
  decode::WorkerPool pool({.decode = config.decode, .spec = spec, .workers = 1});
  for (const auto& shard : corpus.plan().shards()) {
    std::optional<corpus::ShardReader> reader;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i] < shard.first || rows[i] >= shard.first + shard.count) continue;
      base::end_if_stopped();
      if (!reader)
        reader.emplace(corpus.plan().read_items(shard),
                       static_cast<std::uint64_t>(config.decode.max_file_bytes));
      thumbnails[i] = thumbnail_of(*reader, rows[i] - shard.first, pool);
    }
  }
  return thumbnails;
}

}  // namespace quasar::pipeline
