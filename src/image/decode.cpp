#include "image/decode.h"

#include <vips/vips.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include "image/resize.h"

namespace quasar::image {
namespace {

using base::RowStatus;

struct Unref {
  void operator()(VipsImage* image) const { g_object_unref(image); }
};
using VipsPointer = std::unique_ptr<VipsImage, Unref>;

/// Loaders that may see foreign bytes: libvips's nickname without "_buffer", and the name we give the format.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kTrusted = {{
    {"jpegload", "jpeg"},
    {"pngload", "png"},
    {"webpload", "webp"},
    {"tiffload", "tiff"},
    {"gifload", "gif"},
    {"heifload", "heif"},
}};

/// Beginnings of formats that we know and do not open.
constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kRefused = {{
    {"BM", "BMP"},
    {"%PDF", "PDF"},
    {"8BPS", "Photoshop"},
    {"DDS ", "DDS"},
    {"qoif", "QOI"},
    {"\xFF\x0A", "JPEG XL"},
    {"SIMPLE", "FITS"},
    {"#?RADIANCE", "Radiance"},
    {"<svg", "SVG"},
    {"<?xml", "SVG or XML"},
    {"P6", "PPM"},
    {"P5", "PGM"},
    {"P4", "PBM"},
    {"\x76\x2F\x31\x01", "OpenEXR"},
    {"gimp xcf", "GIMP"},
}};

std::string take_vips_error() {
  std::string text = vips_error_buffer();
  vips_error_clear();
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ';');
  constexpr std::size_t kMost = 300;
  if (text.size() > kMost) text.resize(kMost);
  return text.empty() ? "libvips gave no reason" : text;
}

void fail(Prepared& result, RowStatus status, std::string error) {
  result.status = status;
  result.error = std::move(error);
  result.image = {};
}

/// libvips's loader for the bytes; empty, with the status set, when there is none that we trust.
std::string find_loader(std::span<const std::byte> bytes, Prepared& result) {
  const char* loader = vips_foreign_find_load_buffer(bytes.data(), bytes.size());
  if (loader != nullptr) {
    const char* nickname = vips_nickname_find(g_type_from_name(loader));
    std::string name = nickname != nullptr ? nickname : loader;
    const std::string_view stem = std::string_view(name).substr(0, name.find("_buffer"));
    for (const auto& [trusted, format] : kTrusted) {
      if (stem != trusted) continue;
      result.format = format;
      return name;
    }
    fail(result, RowStatus::kBlockedFormat, "the loader " + name + " is not trusted with foreign files");
    return {};
  }
  vips_error_clear();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 32));
  for (const auto& [beginning, name] : kRefused) {
    if (text.substr(0, beginning.size()) != beginning) continue;
    fail(result, RowStatus::kBlockedFormat,
         "the content looks like " + std::string(name) + ", which is not opened");
    return {};
  }
  fail(result, RowStatus::kUnknownFormat, "the content is no JPEG, PNG, WebP, TIFF, GIF or HEIF/AVIF");
  return {};
}

/// Refuses by the header alone. True when the pixels may be decoded.
bool within_limits(VipsImage* header, const DecodeConfig& config, int min_side, Prepared& result) {
  result.width = vips_image_get_width(header);
  result.height = vips_image_get_page_height(header);
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

/// Opens with options of the loader, without decoding; null when the header is broken.
VipsPointer open(std::span<const std::byte> bytes, const std::string& options) {
  return VipsPointer(vips_image_new_from_buffer(bytes.data(), bytes.size(), options.c_str(), "access",
                                                VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
                                                nullptr));
}

/// Options that make the loader decode `shrink` times smaller; empty for formats whose loader cannot.
std::string shrink_options(const std::string& format, int shrink) {
  if (shrink == 1) return {};
  if (format == "jpeg") return "[shrink=" + std::to_string(shrink) + "]";
  if (format == "webp") return "[scale=" + std::to_string(1.0 / shrink) + "]";
  return {};
}

/// Stops an evaluation when its time is over.
struct Deadline {
  std::chrono::steady_clock::time_point end;
  bool passed = false;

  static void check(VipsImage* image, VipsProgress*, Deadline* deadline) {
    if (std::chrono::steady_clock::now() < deadline->end) return;
    deadline->passed = true;
    vips_image_set_kill(image, TRUE);
  }
};

/// Replaces the image by what `operation` makes of it.
template <typename Operation>
bool replace(VipsPointer& image, const Operation& operation) {
  VipsImage* out = nullptr;
  if (operation(image.get(), &out) != 0) return false;
  image.reset(out);
  return true;
}

/// 1 to 4 bands of 8 bits: grey or sRGB, with or without alpha.
bool to_8_bit(VipsPointer& image) {
  const auto interpretation = vips_image_get_interpretation(image.get());
  const auto format = vips_image_get_format(image.get());
  const bool grey = interpretation == VIPS_INTERPRETATION_B_W || interpretation == VIPS_INTERPRETATION_GREY16;
  const bool plain = interpretation == VIPS_INTERPRETATION_B_W || interpretation == VIPS_INTERPRETATION_sRGB;
  if (!(plain && format == VIPS_FORMAT_UCHAR)) {
    if (format == VIPS_FORMAT_COMPLEX || format == VIPS_FORMAT_DPCOMPLEX) return false;
    const auto space = grey ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    if (!replace(image,
                 [&](VipsImage* in, VipsImage** out) { return vips_colourspace(in, out, space, nullptr); })) {
      return false;
    }
    if (vips_image_get_format(image.get()) != VIPS_FORMAT_UCHAR &&
        !replace(image, [](VipsImage* in, VipsImage** out) { return vips_cast_uchar(in, out, nullptr); })) {
      return false;
    }
  }
  const int bands = vips_image_get_bands(image.get());
  return bands >= 1 && bands <= 4;
}

/// The file's pixels in its own mode; empty, with the status set, when there are none. With `spec` and
/// decode.mode fast, fewer pixels than the file has where that suffices for the spec.
Raster load(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec* spec,
            Prepared& result) {
  if (bytes.empty()) {
    fail(result, RowStatus::kEmpty, "zero bytes");
    return {};
  }
  if (bytes.size() > static_cast<std::size_t>(config.max_file_bytes)) {
    fail(result, RowStatus::kTooManyBytes,
         std::to_string(bytes.size()) + " bytes, more than decode.max_file_bytes " +
             std::to_string(config.max_file_bytes));
    return {};
  }
  if (find_loader(bytes, result).empty()) return {};
  VipsPointer image = open(bytes, "");
  if (!image) {
    fail(result, RowStatus::kBadHeader, take_vips_error());
    return {};
  }
  if (!within_limits(image.get(), config, spec != nullptr ? spec->min_side : 1, result)) return {};
  if (spec != nullptr && config.mode == DecodeMode::kFast) {
    const auto options = shrink_options(result.format, decode_shrink(result.width, result.height, *spec));
    if (!options.empty()) image = open(bytes, options);
    if (!image) {
      fail(result, RowStatus::kDecodeFailed, take_vips_error());
      return {};
    }
  }

  const bool palette = vips_image_get_typeof(image.get(), "palette-bit-depth") != 0;
  Deadline deadline{std::chrono::steady_clock::now() +
                    std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                        std::chrono::duration<double>(config.timeout_s))};
  if (config.honour_orientation && !replace(image, [](VipsImage* in, VipsImage** out) {
        // Turning needs rows in any order, so the pixels go through memory first.
        VipsImage* memory = vips_image_copy_memory(in);
        if (memory == nullptr) return -1;
        const int status = vips_autorot(memory, out, nullptr);
        g_object_unref(memory);
        return status;
      })) {
    fail(result, RowStatus::kDecodeFailed, take_vips_error());
    return {};
  }
  if (!to_8_bit(image)) {
    fail(result, RowStatus::kUnsupportedPixels, "no conversion to 8-bit sRGB: " + take_vips_error());
    return {};
  }
  vips_image_set_progress(image.get(), TRUE);
  g_signal_connect(image.get(), "eval", G_CALLBACK(Deadline::check), &deadline);
  std::size_t size = 0;
  const std::unique_ptr<void, void (*)(void*)> pixels(vips_image_write_to_memory(image.get(), &size), g_free);
  if (!pixels) {
    const std::string reason = take_vips_error();
    if (deadline.passed) {
      fail(result, RowStatus::kTimedOut, "decoding took longer than decode.timeout_s");
    } else if (reason.find("out of memory") != std::string::npos) {
      fail(result, RowStatus::kOutOfMemory, reason);
    } else {
      fail(result, RowStatus::kDecodeFailed, reason);
    }
    return {};
  }
  const auto* begin = static_cast<const std::uint8_t*>(pixels.get());
  return {vips_image_get_width(image.get()), vips_image_get_height(image.get()),
          vips_image_get_bands(image.get()), palette, std::vector<std::uint8_t>(begin, begin + size)};
}

}  // namespace

Prepared decode(std::span<const std::byte> bytes, const DecodeConfig& config) {
  Prepared result;
  const Raster raster = load(bytes, config, nullptr, result);
  if (result.status == RowStatus::kOk) result.image = to_rgb(raster);
  return result;
}

Prepared prepare(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec& spec) {
  Prepared result;
  const Raster raster = load(bytes, config, &spec, result);
  if (result.status != RowStatus::kOk) return result;
  if (config.mode == DecodeMode::kExact) {
    result.image = fit(raster, spec);
    return result;
  }
  // Pictures turned by their orientation have the header's sides the other way round.
  const bool turned = (raster.width > raster.height) != (result.width > result.height);
  result.image = turned ? fit(raster, result.height, result.width, spec)
                        : fit(raster, result.width, result.height, spec);
  return result;
}

}  // namespace quasar::image
