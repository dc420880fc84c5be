#include "image/decode.h"

#include <vips/vips.h>

#include <algorithm>
#include <array>
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

/// Marks by which formats are known that libvips, as we use it, does not open. What is in this table does not
/// depend on the loaders that a libvips was built with.
struct Mark {
  std::string_view bytes;
  std::string_view name;
  std::size_t offset = 0;
};
using namespace std::string_view_literals;
constexpr Mark kRefused[] = {
    {"BM"sv, "BMP"sv},
    {"%PDF"sv, "PDF"sv},
    {"8BPS"sv, "Photoshop"sv},
    {"DDS "sv, "DDS"sv},
    {"qoif"sv, "QOI"sv},
    {"\xFF\x0A"sv, "JPEG XL"sv},
    {"\0\0\0\x0CJXL "sv, "JPEG XL"sv},
    {"\0\0\0\x0CjP  "sv, "JPEG 2000"sv},
    {"\xFF\x4F\xFF\x51"sv, "JPEG 2000"sv},
    {"ftypavis"sv, "an AVIF sequence"sv, 4},
    {"SIMPLE"sv, "FITS"sv},
    {"#?RADIANCE"sv, "Radiance"sv},
    {"<svg"sv, "SVG"sv},
    {"<?xml"sv, "SVG or XML"sv},
    {"P1"sv, "PBM"sv},
    {"P2"sv, "PGM"sv},
    {"P3"sv, "PPM"sv},
    {"P4"sv, "PBM"sv},
    {"P5"sv, "PGM"sv},
    {"P6"sv, "PPM"sv},
    {"P7"sv, "PAM"sv},
    {"PF"sv, "PFM"sv},
    {"Pf"sv, "PFM"sv},
    {"\x76\x2F\x31\x01"sv, "OpenEXR"sv},
    {"gimp xcf"sv, "GIMP"sv},
    {"\x01\xDA"sv, "SGI"sv},
    {"\x0A\x05\x01"sv, "PCX"sv},
    {"\x59\xA6\x6A\x95"sv, "a Sun raster"sv},
    {"/* XPM"sv, "XPM"sv},
    {"icns"sv, "an Apple icon"sv},
    {"\x11\xAF"sv, "a FLIC animation"sv, 4},
    {"\x12\xAF"sv, "a FLIC animation"sv, 4},
    // TGA has no mark of its own; these are its four kinds without a palette.
    {"\0\0\x02\0\0\0\0\0"sv, "TGA"sv},
    {"\0\0\x03\0\0\0\0\0"sv, "TGA"sv},
    {"\0\0\x0A\0\0\0\0\0"sv, "TGA"sv},
    {"\0\0\x0B\0\0\0\0\0"sv, "TGA"sv},
    {"\0\0\x01\0"sv, "an icon"sv},
    {"\0\0\x02\0"sv, "a cursor"sv},
};

/// Marks of formats that libvips opens, but knows only by more than their mark.
constexpr Mark kBroken[] = {
    {"II*\0"sv, "TIFF"sv},
    {"MM\0*"sv, "TIFF"sv},
    {"II+\0"sv, "TIFF"sv},
    {"MM\0+"sv, "TIFF"sv},
};

/// The mark that the bytes carry; null for none.
const Mark* find_mark(std::span<const Mark> marks, std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 32));
  const auto found = std::find_if(marks.begin(), marks.end(), [&](const Mark& mark) {
    return text.size() >= mark.offset && text.substr(mark.offset).starts_with(mark.bytes);
  });
  return found == marks.end() ? nullptr : &*found;
}

/// What libvips said since the buffer was last cleared, each line once.
std::string take_vips_error() {
  std::string_view rest = vips_error_buffer();
  std::vector<std::string> lines;
  while (!rest.empty()) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (!line.empty() && std::find(lines.begin(), lines.end(), line) == lines.end()) lines.emplace_back(line);
  }
  vips_error_clear();
  // The last line is the failure itself, those before are what led to it.
  constexpr std::size_t kMost = 300;
  std::string text;
  for (auto line = lines.rbegin(); line != lines.rend() && text.size() + line->size() < kMost; ++line)
    text = *line + (text.empty() ? "" : "; ") + text;
  return text;
}

/// The file is sound, by what libvips says, and of a kind that it cannot decode.
bool says_unsupported(std::string_view reason) {
  constexpr std::array<std::string_view, 3> kPhrases = {"not supported", "Unsupported",
                                                        "not a whole number of bytes"};
  return std::any_of(kPhrases.begin(), kPhrases.end(),
                     [&](auto phrase) { return reason.find(phrase) != std::string_view::npos; });
}

void fail(Prepared& result, RowStatus status, std::string error) {
  result.status = status;
  result.error = std::move(error);
  result.image = {};
}

/// What libvips says becomes of the bytes: `status`, unless it says more.
void fail_by_vips(Prepared& result, RowStatus status) {
  const auto reason = take_vips_error();
  if (reason.find("out of memory") != std::string::npos) {
    status = RowStatus::kOutOfMemory;
  } else if (says_unsupported(reason)) {
    status = RowStatus::kUnsupportedPixels;
  }
  fail(
      result, status,
      reason.empty() ? "the " + result.format + " file cannot be decoded; libvips does not say why" : reason);
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
  }
  if (const auto* mark = find_mark(kBroken, bytes)) {
    fail(result, RowStatus::kBadHeader,
         "the content begins as " + std::string(mark->name) + ", and its directory cannot be read");
  } else if (const auto* refused = find_mark(kRefused, bytes)) {
    fail(result, RowStatus::kBlockedFormat,
         "the content looks like " + std::string(refused->name) + ", which is not opened");
  } else {
    fail(result, RowStatus::kUnknownFormat, "the content is no JPEG, PNG, WebP, TIFF, GIF or HEIF/AVIF");
  }
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

/// Evaluates straight into the raster, so that the pixels are there once.
bool write_to(VipsImage* image, Raster& raster) {
  raster.width = vips_image_get_width(image);
  raster.height = vips_image_get_height(image);
  raster.channels = vips_image_get_bands(image);
  raster.pixels.resize(VIPS_IMAGE_SIZEOF_IMAGE(image));
  const VipsPointer target(vips_image_new_from_memory(raster.pixels.data(), raster.pixels.size(),
                                                      raster.width, raster.height, raster.channels,
                                                      VIPS_FORMAT_UCHAR));
  return target && vips_image_write(image, target.get()) == 0;
}

/// Turns and mirrors decoded pixels as an EXIF orientation (2 to 8) says. Apart from decoding, as it needs
/// rows in any order, and decoding gives them in theirs.
bool turn(Raster& raster, int orientation) {
  VipsPointer image(vips_image_new_from_memory(raster.pixels.data(), raster.pixels.size(), raster.width,
                                               raster.height, raster.channels, VIPS_FORMAT_UCHAR));
  if (!image) return false;
  vips_image_set_int(image.get(), VIPS_META_ORIENTATION, orientation);
  if (!replace(image, [](VipsImage* in, VipsImage** out) { return vips_autorot(in, out, nullptr); }))
    return false;
  Raster turned;
  turned.palette = raster.palette;
  if (!write_to(image.get(), turned)) return false;
  image.reset();
  raster = std::move(turned);
  return true;
}

bool has_field(VipsImage* image, const char* name) {
  return vips_image_get_typeof(image, name) != 0;
}

bool is_set(VipsImage* image, const char* name) {
  int value = 0;
  return has_field(image, name) && vips_image_get_int(image, name, &value) == 0 && value != 0;
}

/// What the opened image tells; `file` is the header at full size.
Header describe_header(VipsImage* image, const Prepared& file, std::size_t file_bytes,
                       const DecodeConfig& config) {
  Header header;
  header.format = file.format;
  header.width = file.width;
  header.height = file.height;
  header.decoded_width = vips_image_get_width(image);
  header.decoded_height = vips_image_get_page_height(image);
  header.channels = vips_image_get_bands(image);
  header.sample_bytes = static_cast<int>(VIPS_IMAGE_SIZEOF_ELEMENT(image));
  header.whole_passes = is_set(image, "interlaced") || is_set(image, "jpeg-multiscan");
  header.turned = config.honour_orientation && vips_image_get_orientation(image) > 1;
  header.file_bytes = file_bytes;
  return header;
}

/// The file's pixels in its own mode; empty, with the status set, when there are none. With `spec` and
/// decode.mode fast, fewer pixels than the file has where that suffices for the spec.
Raster load(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec* spec,
            const Admission& admit, Prepared& result) {
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
  // What was left by an attempt that did not ask.
  vips_error_clear();
  if (find_loader(bytes, result).empty()) return {};
  VipsPointer image = open(bytes, "");
  if (!image) {
    fail_by_vips(result, RowStatus::kBadHeader);
    return {};
  }
  if (!within_limits(image.get(), config, spec != nullptr ? spec->min_side : 1, result)) return {};
  if (spec != nullptr && config.mode == DecodeMode::kFast) {
    const auto options = shrink_options(result.format, decode_shrink(result.width, result.height, *spec));
    if (!options.empty()) image = open(bytes, options);
    if (!image) {
      fail_by_vips(result, RowStatus::kDecodeFailed);
      return {};
    }
  }
  if (admit && !admit(describe_header(image.get(), result, bytes.size(), config))) {
    fail(result, RowStatus::kOutOfMemory, "the memory that it needs is refused");
    return {};
  }

  Raster raster;
  raster.palette = has_field(image.get(), "palette-bit-depth");
  const int orientation = config.honour_orientation ? vips_image_get_orientation(image.get()) : 1;
  if (!to_8_bit(image)) {
    fail_by_vips(result, RowStatus::kUnsupportedPixels);
    if (!result.error.empty()) result.error = "no conversion to 8-bit sRGB: " + result.error;
    return {};
  }
  if (!write_to(image.get(), raster)) {
    fail_by_vips(result, RowStatus::kDecodeFailed);
    return {};
  }
  image.reset();
  if (orientation > 1 && !turn(raster, orientation)) {
    fail(result, RowStatus::kOutOfMemory, "there is no memory to turn it in");
    return {};
  }
  return raster;
}

}  // namespace

Prepared decode(std::span<const std::byte> bytes, const DecodeConfig& config, const Admission& admit) {
  Prepared result;
  Raster raster = load(bytes, config, nullptr, admit, result);
  if (result.status == RowStatus::kOk) result.image = to_rgb(std::move(raster));
  return result;
}

Prepared prepare(std::span<const std::byte> bytes, const DecodeConfig& config, const base::InputSpec& spec,
                 const Admission& admit) {
  Prepared result;
  Raster raster = load(bytes, config, &spec, admit, result);
  if (result.status != RowStatus::kOk) return result;
  if (config.mode == DecodeMode::kExact) {
    result.image = fit(std::move(raster), spec);
    return result;
  }
  // Pictures turned by their orientation have the header's sides the other way round.
  const bool turned = (raster.width > raster.height) != (result.width > result.height);
  const int width = turned ? result.height : result.width;
  const int height = turned ? result.width : result.height;
  result.image = fit(std::move(raster), width, height, spec);
  return result;
}

}  // namespace quasar::image
