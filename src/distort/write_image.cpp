#include "distort/write_image.h"

#include <vips/vips.h>

#include <memory>
#include <string>

#include "base/atomic_file.h"
#include "base/errors.h"
#include "distort/vips_handle.h"

namespace quasar::distort {

using image::RgbImage;

namespace {

/// The picture as `save` encodes it; `what` is its name in messages.
template <typename Save>
std::string encoded(const RgbImage& image, const std::string& what, const Save& save) {
  const VipsHandle source(vips_image_new_from_memory(image.pixels.data(), image.pixels.size(), image.width,
                                                     image.height, 3, VIPS_FORMAT_UCHAR));
  void* bytes = nullptr;
  std::size_t size = 0;
  if (!source || save(source.get(), &bytes, &size) != 0) {
    const std::string reason = vips_error_buffer();
    vips_error_clear();
    base::fail(base::ExitCode::kOutput, "cannot encode " + what + ": " + reason);
  }
  const std::unique_ptr<void, void (*)(void*)> owner(bytes, g_free);
  return {static_cast<const char*>(bytes), size};
}

std::string jpeg_of(const RgbImage& image, const std::string& what, int quality) {
  return encoded(image, what, [quality](VipsImage* source, void** bytes, std::size_t* size) {
    return vips_jpegsave_buffer(source, bytes, size, "Q", quality, nullptr);
  });
}

}  // namespace

void write_png(const RgbImage& image, const std::filesystem::path& path) {
  base::write_file_atomically(
      path, encoded(image, path.string(), [](VipsImage* source, void** bytes, std::size_t* size) {
        return vips_pngsave_buffer(source, bytes, size, nullptr);
      }));
}

std::string jpeg_bytes(const RgbImage& image, int quality) {
  return jpeg_of(image, "a picture as JPEG", quality);
}

std::string webp_bytes(const RgbImage& image, int quality) {
  return encoded(image, "a picture as WebP", [quality](VipsImage* source, void** bytes, std::size_t* size) {
    return vips_webpsave_buffer(source, bytes, size, "Q", quality, nullptr);
  });
}

void write_jpeg(const RgbImage& image, const std::filesystem::path& path, int quality) {
  base::write_file_atomically(path, jpeg_of(image, path.string(), quality));
}

}  // namespace quasar::distort
