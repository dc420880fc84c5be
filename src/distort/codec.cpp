#include "distort/codec.h"

#include <openjpeg.h>
#include <vips/vips.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "base/errors.h"
#include "distort/vips_handle.h"
#include "distort/write_image.h"

namespace quasar::distort {
namespace {

[[noreturn]] void fail_vips(const char* what) {
  std::string reason = vips_error_buffer();
  vips_error_clear();
  base::fail(base::ExitCode::kInternal, std::string("libvips failed to ") + what + ": " + reason);
}

/// A memory file for OpenJPEG's stream callbacks.
struct Memory {
  std::vector<std::uint8_t> bytes;
  std::size_t position = 0;
};

OPJ_SIZE_T read_memory(void* buffer, OPJ_SIZE_T count, void* user) {
  auto& memory = *static_cast<Memory*>(user);
  const std::size_t left = memory.bytes.size() - std::min(memory.position, memory.bytes.size());
  const std::size_t given = std::min<std::size_t>(count, left);
  if (given == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(buffer, memory.bytes.data() + memory.position, given);
  memory.position += given;
  return given;
}

OPJ_SIZE_T write_memory(void* buffer, OPJ_SIZE_T count, void* user) {
  auto& memory = *static_cast<Memory*>(user);
  if (memory.bytes.size() < memory.position + count) memory.bytes.resize(memory.position + count);
  std::memcpy(memory.bytes.data() + memory.position, buffer, count);
  memory.position += count;
  return count;
}

OPJ_OFF_T skip_memory(OPJ_OFF_T count, void* user) {
  auto& memory = *static_cast<Memory*>(user);
  if (count < 0) return -1;
  memory.position += static_cast<std::size_t>(count);
  return count;
}

OPJ_BOOL seek_memory(OPJ_OFF_T position, void* user) {
  static_cast<Memory*>(user)->position = static_cast<std::size_t>(position);
  return OPJ_TRUE;
}

struct CodecDestroy {
  void operator()(opj_codec_t* codec) const { opj_destroy_codec(codec); }
};
struct StreamDestroy {
  void operator()(opj_stream_t* stream) const { opj_stream_destroy(stream); }
};
struct ImageDestroy {
  void operator()(opj_image_t* image) const { opj_image_destroy(image); }
};
using Codec = std::unique_ptr<opj_codec_t, CodecDestroy>;
using Stream = std::unique_ptr<opj_stream_t, StreamDestroy>;
using JpegImage = std::unique_ptr<opj_image_t, ImageDestroy>;

Stream memory_stream(Memory& memory, bool reading) {
  Stream stream(opj_stream_default_create(reading ? OPJ_TRUE : OPJ_FALSE));
  opj_stream_set_user_data(stream.get(), &memory, nullptr);
  opj_stream_set_user_data_length(stream.get(), memory.bytes.size());
  opj_stream_set_read_function(stream.get(), read_memory);
  opj_stream_set_write_function(stream.get(), write_memory);
  opj_stream_set_skip_function(stream.get(), skip_memory);
  opj_stream_set_seek_function(stream.get(), seek_memory);
  return stream;
}

[[noreturn]] void fail_jpeg2000(const char* what) {
  base::fail(base::ExitCode::kInternal, std::string("OpenJPEG failed to ") + what + " a rendered picture");
}

std::vector<std::uint8_t> encode_jpeg2000(const RgbImage& image, double ratio) {
  std::array<opj_image_cmptparm_t, 3> components{};
  for (auto& component : components) {
    component.dx = component.dy = 1;
    component.w = static_cast<OPJ_UINT32>(image.width);
    component.h = static_cast<OPJ_UINT32>(image.height);
    component.prec = 8;
  }
  const JpegImage source(opj_image_create(3, components.data(), OPJ_CLRSPC_SRGB));
  if (!source) fail_jpeg2000("allocate");
  source->x1 = static_cast<OPJ_UINT32>(image.width);
  source->y1 = static_cast<OPJ_UINT32>(image.height);
  const std::size_t count = image.pixels.size() / 3;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c) source->comps[c].data[i] = image.pixels[3 * i + c];
  }
  opj_cparameters_t parameters;
  opj_set_default_encoder_parameters(&parameters);
  parameters.tcp_numlayers = 1;
  parameters.tcp_rates[0] = static_cast<float>(ratio);
  parameters.cp_disto_alloc = 1;
  parameters.irreversible = 1;
  parameters.tcp_mct = 1;
  // A picture narrower than 2^levels has no such decomposition.
  int levels = 1;
  while (levels < 6 && (std::min(image.width, image.height) >> levels) > 0) ++levels;
  parameters.numresolution = levels;
  const Codec codec(opj_create_compress(OPJ_CODEC_J2K));
  Memory memory;
  const Stream stream = memory_stream(memory, false);
  const bool done = opj_setup_encoder(codec.get(), &parameters, source.get()) == OPJ_TRUE &&
                    opj_start_compress(codec.get(), source.get(), stream.get()) == OPJ_TRUE &&
                    opj_encode(codec.get(), stream.get()) == OPJ_TRUE &&
                    opj_end_compress(codec.get(), stream.get()) == OPJ_TRUE;
  if (!done) fail_jpeg2000("encode");
  return std::move(memory.bytes);
}

/// The picture in `bytes`, which is of the size of `image` and that `load` of libvips reads; `what` names it
/// in messages.
RgbImage loaded(std::string bytes, const RgbImage& image, const std::string& what,
                int (*load)(void* coded, std::size_t length, VipsImage** out, ...)) {
  VipsImage* opened = nullptr;
  if (load(bytes.data(), bytes.size(), &opened, nullptr) != 0) fail_vips(what.c_str());
  const VipsHandle decoded(opened);
  std::size_t size = 0;
  const std::unique_ptr<void, void (*)(void*)> pixels(vips_image_write_to_memory(decoded.get(), &size),
                                                      g_free);
  RgbImage result(image.width, image.height);
  if (!pixels || size != result.pixels.size()) fail_vips(what.c_str());
  std::memcpy(result.pixels.data(), pixels.get(), size);
  return result;
}

}  // namespace

RgbImage jpeg_coded(const RgbImage& image, int quality) {
  return loaded(jpeg_bytes(image, quality), image, "read its own JPEG", vips_jpegload_buffer);
}

RgbImage webp_coded(const RgbImage& image, int quality) {
  return loaded(webp_bytes(image, quality), image, "read its own WebP", vips_webpload_buffer);
}

RgbImage jpeg2000_coded(const RgbImage& image, double ratio) {
  Memory memory{encode_jpeg2000(image, ratio), 0};
  const Codec codec(opj_create_decompress(OPJ_CODEC_J2K));
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  const Stream stream = memory_stream(memory, true);
  opj_image_t* decoded = nullptr;
  const bool begun = opj_setup_decoder(codec.get(), &parameters) == OPJ_TRUE &&
                     opj_read_header(stream.get(), codec.get(), &decoded) == OPJ_TRUE;
  const JpegImage owner(decoded);
  if (!begun || opj_decode(codec.get(), stream.get(), decoded) != OPJ_TRUE || decoded->numcomps != 3) {
    fail_jpeg2000("decode");
  }
  RgbImage result(image.width, image.height);
  const std::size_t count = result.pixels.size() / 3;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      result.pixels[3 * i + c] = static_cast<std::uint8_t>(std::clamp(decoded->comps[c].data[i], 0, 255));
    }
  }
  return result;
}

}  // namespace quasar::distort
