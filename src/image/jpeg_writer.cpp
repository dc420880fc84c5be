#include "image/jpeg_writer.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include <jpeglib.h>

#include "base/errors.h"

namespace quasar::image {
namespace {

/// Only want of memory is left to come here. libjpeg's frames hold nothing, and can be unwound.
[[noreturn]] void fail_with_its_words(j_common_ptr jpeg) {
  char text[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, text);
  base::fail(base::ExitCode::kInternal, std::string("a thumbnail cannot be written: ") + text);
}

struct Compressor {
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  unsigned char* bytes = nullptr;
  unsigned long size = 0;  // NOLINT(google-runtime-int): as libjpeg has it.

  Compressor() {
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = fail_with_its_words;
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
  }
  ~Compressor() {
    jpeg_destroy_compress(&jpeg);
    std::free(bytes);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
};

}  // namespace

std::string baseline_jpeg(const RgbImage& image, int quality) {
  if (image.width <= 0 || image.height <= 0 || image.width > JPEG_MAX_DIMENSION ||
      image.height > JPEG_MAX_DIMENSION)
    base::fail(base::ExitCode::kInternal, "a picture of this size is no thumbnail");
  Compressor compressor;
  auto& jpeg = compressor.jpeg;
  jpeg.image_width = static_cast<JDIMENSION>(image.width);
  jpeg.image_height = static_cast<JDIMENSION>(image.height);
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, quality, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
  while (jpeg.next_scanline < jpeg.image_height) {
    // libjpeg does not write to it.
    auto* row = const_cast<JSAMPLE*>(image.pixels.data() + jpeg.next_scanline * stride);
    jpeg_write_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_compress(&jpeg);
  return {reinterpret_cast<const char*>(compressor.bytes), compressor.size};
}

}  // namespace quasar::image
