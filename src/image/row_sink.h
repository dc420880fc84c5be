// Owns how pixels pass from what reads a file to what makes use of them: some rows at
// a time, so that nobody holds a whole picture who does not need one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "image/resize.h"

namespace quasar::image {

class RowSink {
 public:
  RowSink() = default;
  virtual ~RowSink() = default;
  RowSink(const RowSink&) = delete;
  RowSink& operator=(const RowSink&) = delete;

  /// Rows of a picture will come. `shape` is a raster without pixels. Called again where a reader starts
  /// anew: what came before is to be forgotten. May throw std::bad_alloc, as the others may.
  virtual void begin(const Raster& shape) = 0;
  /// The next `count` rows from the top, in the layout of Raster. They are the reader's, and gone afterwards.
  virtual void rows(const std::uint8_t* const* rows, int count) = 0;
  /// A whole picture at once.
  virtual void take(Raster raster) {
    const Raster shape{raster.width, raster.height, raster.channels, raster.palette, {}, raster.cmyk};
    take_from(shape, raster.pixels.data());
  }
  /// The same of pixels that stay where they are.
  void take_from(const Raster& shape, const std::uint8_t* pixels) {
    begin(shape);
    const std::size_t line = static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(shape.channels);
    std::vector<const std::uint8_t*> all(static_cast<std::size_t>(shape.height));
    for (std::size_t y = 0; y < all.size(); ++y) all[y] = pixels + y * line;
    rows(all.data(), shape.height);
  }
};

/// Keeps all rows.
class WholePicture final : public RowSink {
 public:
  void begin(const Raster& shape) override {
    raster_ = shape;
    line_ = static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(shape.channels);
    raster_.pixels.reserve(line_ * static_cast<std::size_t>(shape.height));
  }
  void rows(const std::uint8_t* const* rows, int count) override {
    for (int i = 0; i < count; ++i) raster_.pixels.insert(raster_.pixels.end(), rows[i], rows[i] + line_);
  }
  void take(Raster raster) override { raster_ = std::move(raster); }

  Raster release() { return std::move(raster_); }

 private:
  Raster raster_;
  std::size_t line_ = 0;
};

/// Gives `count` rows, every sample of which is `value`, in place of those that a file lacks.
inline void give_blank_rows(RowSink& sink, const Raster& shape, int count, std::uint8_t value) {
  if (count <= 0) return;
  const std::vector<std::uint8_t> row(
      static_cast<std::size_t>(shape.width) * static_cast<std::size_t>(shape.channels), value);
  const std::uint8_t* const pointer = row.data();
  for (int i = 0; i < count; ++i) sink.rows(&pointer, 1);
}

}  // namespace quasar::image
