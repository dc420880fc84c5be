#include "distort/write_image.h"

#include <vips/vips.h>

#include <memory>
#include <string_view>

#include "base/atomic_file.h"
#include "base/errors.h"

namespace quasar::distort {

using image::RgbImage;

namespace {

struct ImageUnref {
  void operator()(VipsImage* image) const { g_object_unref(image); }
};

template <typename Save>
void write(const RgbImage& image, const std::filesystem::path& path, const Save& save) {
  const std::unique_ptr<VipsImage, ImageUnref> source(vips_image_new_from_memory(
      image.pixels.data(), image.pixels.size(), image.width, image.height, 3, VIPS_FORMAT_UCHAR));
  void* bytes = nullptr;
  std::size_t size = 0;
  if (!source || save(source.get(), &bytes, &size) != 0) {
    const std::string reason = vips_error_buffer();
    vips_error_clear();
    base::fail(base::ExitCode::kOutput, "cannot encode " + path.string() + ": " + reason);
  }
  const std::unique_ptr<void, void (*)(void*)> owner(bytes, g_free);
  base::write_file_atomically(path, std::string_view(static_cast<const char*>(bytes), size));
}

}  // namespace

void write_png(const RgbImage& image, const std::filesystem::path& path) {
  write(image, path, [](VipsImage* source, void** bytes, std::size_t* size) {
    return vips_pngsave_buffer(source, bytes, size, nullptr);
  });
}

void write_jpeg(const RgbImage& image, const std::filesystem::path& path, int quality) {
  write(image, path, [quality](VipsImage* source, void** bytes, std::size_t* size) {
    return vips_jpegsave_buffer(source, bytes, size, "Q", quality, nullptr);
  });
}

}  // namespace quasar::distort
