// An image file from anywhere: a picture of the shape the encoder asks for, or a status with a message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "image/decode.h"
#include "image/vips_environment.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const quasar::image::VipsEnvironment vips;
  quasar::image::DecodeConfig config;
  config.max_pixels = 1 << 20U;
  config.max_side = 1 << 14U;
  quasar::base::InputSpec spec;
  spec.size = 32;
  const auto prepared = quasar::image::prepare(std::as_bytes(std::span(data, size)), config, spec);
  const bool ok = prepared.status == quasar::base::RowStatus::kOk;
  if (ok != prepared.error.empty()) std::abort();
  if (ok && (prepared.image.width != spec.size || prepared.image.height != spec.size ||
             prepared.image.pixels.size() != 32U * 32U * 3U)) {
    std::abort();
  }
  if (!ok && !prepared.image.pixels.empty()) std::abort();
  return 0;
}
