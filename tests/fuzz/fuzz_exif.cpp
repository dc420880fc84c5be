// EXIF of pictures: no crash, no endless loop, and never more than the bounds say.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "image/exif_tags.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto tags = quasar::image::exif_tags(std::as_bytes(std::span(data, size)));
  std::size_t bytes = 0;
  for (const auto& [name, value] : tags) bytes += name.size() + value.size();
  if (tags.size() > quasar::image::kMostExifTags || bytes > quasar::image::kMostExifBytes) std::abort();
  return 0;
}
