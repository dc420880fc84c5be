#include "image/tiff_reader.h"

#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

namespace quasar::image {
namespace {

using base::RowStatus;

/// A file in memory as libtiff reads it.
struct Source {
  std::span<const std::byte> bytes;
  std::size_t at = 0;
};

Source& source_of(thandle_t handle) {
  return *static_cast<Source*>(handle);
}

tmsize_t read(thandle_t handle, void* to, tmsize_t size) {
  auto& source = source_of(handle);
  const std::size_t left = source.bytes.size() - std::min(source.at, source.bytes.size());
  const std::size_t count = std::min(left, static_cast<std::size_t>(std::max<tmsize_t>(size, 0)));
  if (count > 0) std::memcpy(to, source.bytes.data() + source.at, count);
  source.at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t refuse_write(thandle_t, void*, tmsize_t) {
  return 0;
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto& source = source_of(handle);
  if (whence == SEEK_CUR) offset += source.at;
  if (whence == SEEK_END) offset += source.bytes.size();
  source.at = static_cast<std::size_t>(offset);
  return offset;
}

int close(thandle_t) {
  return 0;
}

toff_t size_of(thandle_t handle) {
  return source_of(handle).bytes.size();
}

int map(thandle_t handle, void** base, toff_t* size) {
  auto& source = source_of(handle);
  *base = const_cast<std::byte*>(source.bytes.data());
  *size = source.bytes.size();
  return 1;
}

void unmap(thandle_t, void*, toff_t) {}

struct Close {
  void operator()(TIFF* file) const { ::TIFFClose(file); }
};

/// The first picture of a file in memory.
class TiffFile {
 public:
  explicit TiffFile(std::span<const std::byte> bytes)
      : source_{bytes},
        file_(
            ::TIFFClientOpen("tiff", "rM", &source_, read, refuse_write, seek, close, size_of, map, unmap)) {}

  TIFF* get() const { return file_.get(); }
  template <typename Number>
  Number field(ttag_t tag, Number otherwise) const {
    Number value = otherwise;
    return ::TIFFGetFieldDefaulted(get(), tag, &value) == 1 ? value : otherwise;
  }

 private:
  Source source_;
  std::unique_ptr<TIFF, Close> file_;
};

/// libtiff's RGBA interface to a file, with where it stands.
struct Rgba {
  TIFFRGBAImage image{};
  bool begun = false;

  ~Rgba() {
    if (begun) ::TIFFRGBAImageEnd(&image);
  }
};

/// Divides colours by alpha.
void unpremultiply(Raster& raster) {
  const auto channels = static_cast<std::size_t>(raster.channels);
  for (std::size_t i = 0; i < raster.pixels.size(); i += channels) {
    const int alpha = raster.pixels[i + channels - 1];
    if (alpha == 255) continue;
    for (std::size_t c = 0; c + 1 < channels; ++c) {
      auto& value = raster.pixels[i + c];
      value = static_cast<std::uint8_t>(alpha == 0 ? 0 : std::min(255, 255 * value / alpha));
    }
  }
}

class TiffReader : public Reader {
 public:
  TiffReader(std::unique_ptr<TiffFile> file, int width, int height)
      : file_(std::move(file)), width_(width), height_(height) {}

  Header header() const override {
    return {.format = "tiff",
            .width = width_,
            .height = height_,
            .decoded_width = width_,
            .decoded_height = height_,
            .channels = 4};
  }

  int orientation() const override { return file_->field<std::uint16_t>(TIFFTAG_ORIENTATION, 1); }

  Reading pixels(RowSink& sink) override {
    Raster raster{width_, height_, 4, false, {}};
    raster.pixels.resize(static_cast<std::size_t>(width_) * static_cast<std::size_t>(height_) * 4);
    Rgba rgba;
    std::array<char, 1024> message{};
    constexpr int kStopAtErrors = 1;
    rgba.begun = ::TIFFRGBAImageBegin(&rgba.image, file_->get(), kStopAtErrors, message.data()) == 1;
    if (!rgba.begun)
      return {.status = RowStatus::kUnsupportedPixels, .error = std::string("libtiff: ") + message.data()};
    // As they lie in the file: turning is another's business.
    rgba.image.req_orientation = rgba.image.orientation;
    auto* pixels = reinterpret_cast<std::uint32_t*>(raster.pixels.data());
    if (::TIFFRGBAImageGet(&rgba.image, pixels, static_cast<std::uint32_t>(width_),
                           static_cast<std::uint32_t>(height_)) != 1) {
      return {.status = RowStatus::kDecodeFailed, .error = "libtiff: its data are broken or end early"};
    }
    to_bytes(raster);
    sink.take(std::move(raster));
    return {.rows = height_};
  }

 private:
  /// Words of libtiff to R, G, B and alpha.
  void to_bytes(Raster& raster) const {
    for (std::size_t i = 0; i < raster.pixels.size(); i += 4) {
      std::uint32_t word = 0;
      std::memcpy(&word, raster.pixels.data() + i, 4);
      raster.pixels[i] = static_cast<std::uint8_t>(TIFFGetR(word));
      raster.pixels[i + 1] = static_cast<std::uint8_t>(TIFFGetG(word));
      raster.pixels[i + 2] = static_cast<std::uint8_t>(TIFFGetB(word));
      raster.pixels[i + 3] = static_cast<std::uint8_t>(TIFFGetA(word));
    }
    // It multiplies colours by alpha where the file has not.
    unpremultiply(raster);
  }

  std::unique_ptr<TiffFile> file_;
  int width_;
  int height_;
};

}  // namespace

std::unique_ptr<Reader> open_tiff(std::span<const std::byte> bytes) {
  auto file = std::make_unique<TiffFile>(bytes);
  if (file->get() == nullptr) return nullptr;
  std::array<char, 1024> message{};
  const auto width = file->field<std::uint32_t>(TIFFTAG_IMAGEWIDTH, 0);
  const auto height = file->field<std::uint32_t>(TIFFTAG_IMAGELENGTH, 0);
  constexpr std::uint32_t kMost = 10'000'000;
  if (width == 0 || height == 0 || width > kMost || height > kMost ||
      ::TIFFRGBAImageOK(file->get(), message.data()) != 1) {
    return nullptr;
  }
  return std::make_unique<TiffReader>(std::move(file), static_cast<int>(width), static_cast<int>(height));
}

}  // namespace quasar::image
