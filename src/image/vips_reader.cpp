#include "image/vips_reader.h"

#include <vips/vips.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "image/byte_order.h"
#include "image/formats.h"
#include "image/jpeg_reader.h"
#include "image/messages.h"
#include "image/tiff_reader.h"

namespace quasar::image {
namespace {

using base::RowStatus;

struct Unref {
  void operator()(void* object) const { g_object_unref(object); }
};
using VipsPointer = std::unique_ptr<VipsImage, Unref>;

/// Loaders that may see foreign bytes: libvips's nickname without "_buffer", and the name we give the format.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTrusted = {{
    {"jpegload", "jpeg"},
    {"pngload", "png"},
    {"webpload", "webp"},
    {"tiffload", "tiff"},
    {"heifload", "heif"},
}};

/// The file is sound, by what libvips says, and of a kind that it cannot decode.
bool says_unsupported(std::string_view reason) {
  constexpr std::array<std::string_view, 4> kPhrases = {"not supported", "Unsupported", "unsupported",
                                                        "not a whole number of bytes"};
  return std::any_of(kPhrases.begin(), kPhrases.end(),
                     [&](auto phrase) { return reason.find(phrase) != std::string_view::npos; });
}

/// What libvips says became of the bytes: `status`, unless it says more.
Reading failed(RowStatus status, std::string_view format) {
  auto reason = take_reason();
  if (reason.find("out of memory") != std::string::npos) {
    status = RowStatus::kOutOfMemory;
  } else if (says_unsupported(reason)) {
    status = RowStatus::kUnsupportedPixels;
  }
  if (reason.empty()) {
    reason = status == RowStatus::kBadHeader
                 ? "what follows the mark of a " + std::string(format) + " is no header of one"
                 : "the " + std::string(format) + " data are broken or end early";
  }
  return {.status = status, .error = std::move(reason)};
}

/// The name of the format that the content has; empty when there is none that we trust.
std::string_view find_format(std::span<const std::byte> bytes) {
  // Not by libvips, which does not know all brands.
  if (is_heif(bytes)) return "heif";
  const char* loader = vips_foreign_find_load_buffer(bytes.data(), bytes.size());
  if (loader == nullptr) return {};
  const char* nickname = vips_nickname_find(g_type_from_name(loader));
  const std::string_view name = nickname != nullptr ? nickname : loader;
  const auto* found = std::find_if(kTrusted.begin(), kTrusted.end(), [&](const auto& trusted) {
    return trusted.first == name.substr(0, name.find("_buffer"));
  });
  return found == kTrusted.end() ? std::string_view() : found->second;
}

/// What libwebp does not say of a file that ends early; empty for others.
std::string missing_webp(std::span<const std::byte> bytes) {
  constexpr std::size_t kBegun = 8;  // "RIFF" and the length of what follows.
  if (bytes.size() < kBegun) return {};
  const std::uint64_t stated = kBegun + little_endian(bytes.subspan(4, 4));
  if (stated <= bytes.size()) return {};
  return "; the file ends after " + std::to_string(bytes.size()) + " of the " + std::to_string(stated) +
         " bytes that its header states";
}

/// Opens without decoding; null when the header is broken.
VipsPointer open_image(std::span<const std::byte> bytes, std::string_view format,
                       const std::string& options) {
  if (format == "heif") {
    VipsImage* image = nullptr;
    // Limits are ours (DecodeConfig), and held against the header.
    vips_heifload_buffer(const_cast<std::byte*>(bytes.data()), bytes.size(), &image, "access",
                         VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR, "unlimited", TRUE, nullptr);
    return VipsPointer(image);
  }
  return VipsPointer(vips_image_new_from_buffer(bytes.data(), bytes.size(), options.c_str(), "access",
                                                VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
                                                nullptr));
}

/// Options that make the loader decode `factor` times smaller; empty for formats whose loader cannot.
std::string shrink_options(std::string_view format, int factor) {
  if (factor == 1) return {};
  if (format == "jpeg") return "[shrink=" + std::to_string(factor) + "]";
  if (format == "webp") return "[scale=" + std::to_string(1.0 / factor) + "]";
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

/// Inks that are mixed by hand, beside alpha.
bool is_cmyk(VipsImage* image) {
  const auto format = vips_image_get_format(image);
  return vips_image_get_interpretation(image) == VIPS_INTERPRETATION_CMYK &&
         vips_image_get_bands(image) >= 4 && (format == VIPS_FORMAT_UCHAR || format == VIPS_FORMAT_USHORT);
}

/// 1 to 4 bands of 8 bits: grey or sRGB, with or without alpha, or CMYK.
bool to_8_bit(VipsPointer& image) {
  const auto interpretation = vips_image_get_interpretation(image.get());
  const bool cmyk = is_cmyk(image.get());
  const bool sixteen =
      interpretation == VIPS_INTERPRETATION_GREY16 || interpretation == VIPS_INTERPRETATION_RGB16;
  if ((sixteen || cmyk) && vips_image_get_format(image.get()) == VIPS_FORMAT_USHORT &&
      !replace(image, [](VipsImage* in, VipsImage** out) { return vips_msb(in, out, nullptr); })) {
    return false;
  }
  if (cmyk) {
    return replace(
        image, [](VipsImage* in, VipsImage** out) { return vips_extract_band(in, out, 0, "n", 4, nullptr); });
  }
  const auto format = vips_image_get_format(image.get());
  const bool grey = interpretation == VIPS_INTERPRETATION_B_W || interpretation == VIPS_INTERPRETATION_GREY16;
  const bool plain = grey || sixteen || interpretation == VIPS_INTERPRETATION_sRGB;
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

/// Whether what libtiff or the codecs in it said is of pixels; most is of tags, and of the directories of
/// other pictures.
bool says_lost_data(std::string_view errors) {
  constexpr std::array<std::string_view, 4> kOfPixels = {"Decode", "TIFFFill", "remature end",
                                                         "Huffman code"};
  return std::any_of(kOfPixels.begin(), kOfPixels.end(),
                     [&](std::string_view word) { return errors.find(word) != std::string_view::npos; });
}

/// Rows from the top that came.
struct Rows {
  int read = 0;   ///< Before libvips gave up.
  int sound = 0;  ///< Of them, before an error was said that it went on after.
};

/// Evaluates from the top; what does not come is blank.
Rows give_rows(VipsImage* image, bool palette, bool cmyk, RowSink& sink) {
  const Raster shape{vips_image_get_width(image),
                     vips_image_get_height(image),
                     vips_image_get_bands(image),
                     palette,
                     {},
                     cmyk};
  sink.begin(shape);
  Rows rows;
  const std::unique_ptr<VipsRegion, Unref> region(vips_image_pio_input(image) == 0 ? vips_region_new(image)
                                                                                   : nullptr);
  constexpr int kAtOnce = 16;
  while (region && rows.read < shape.height) {
    const VipsRect part{0, rows.read, shape.width, std::min(kAtOnce, shape.height - rows.read)};
    if (vips_region_prepare(region.get(), &part) != 0) break;
    std::array<const std::uint8_t*, kAtOnce> lines{};
    for (int i = 0; i < part.height; ++i)
      lines[static_cast<std::size_t>(i)] = VIPS_REGION_ADDR(region.get(), 0, part.top + i);
    sink.rows(lines.data(), part.height);
    rows.read += part.height;
    if (!says_lost_data(vips_error_buffer())) rows.sound = rows.read;
  }
  give_blank_rows(sink, shape, shape.height - rows.read, 0);
  return rows;
}

bool has_field(VipsImage* image, const char* name) {
  return vips_image_get_typeof(image, name) != 0;
}

bool is_set(VipsImage* image, const char* name) {
  int value = 0;
  return has_field(image, name) && vips_image_get_int(image, name, &value) == 0 && value != 0;
}

class VipsReader : public Reader {
 public:
  VipsReader(std::span<const std::byte> bytes, std::string_view format, VipsPointer image)
      : bytes_(bytes),
        format_(format),
        image_(std::move(image)),
        width_(vips_image_get_width(image_.get())),
        height_(vips_image_get_page_height(image_.get())) {}

  Header header() const override {
    VipsImage* image = image_.get();
    return {.format = format_,
            .width = width_,
            .height = height_,
            .decoded_width = vips_image_get_width(image),
            .decoded_height = vips_image_get_page_height(image),
            .channels = vips_image_get_bands(image),
            .sample_bytes = static_cast<int>(VIPS_IMAGE_SIZEOF_ELEMENT(image)),
            .whole_passes = is_set(image, "interlaced") || is_set(image, "jpeg-multiscan")};
  }

  int orientation() const override { return vips_image_get_orientation(image_.get()); }

  Reading shrink(int factor) override {
    const auto options = shrink_options(format_, factor);
    if (options.empty()) return {};
    image_ = open_image(bytes_, format_, options);
    if (!image_) return failed(RowStatus::kDecodeFailed, format_);
    shrunk_ = factor;
    return {};
  }

  Reading pixels(RowSink& sink) override {
    if (format_ == "jpeg") return read_jpeg(bytes_, header(), shrunk_, sink);
    const bool palette = has_field(image_.get(), "palette-bit-depth");
    const bool cmyk = is_cmyk(image_.get());
    if (!to_8_bit(image_)) {
      auto reading = failed(RowStatus::kUnsupportedPixels, format_);
      reading.error = "no conversion to 8-bit sRGB: " + reading.error;
      return reading;
    }
    // What was said of the header was not enough to refuse it.
    vips_error_clear();
    const Rows rows = give_rows(image_.get(), palette, cmyk, sink);
    // libtiff goes on after data that it cannot read, and says so.
    const int whole = format_ == "tiff" ? std::min(rows.read, rows.sound) : rows.read;
    if (whole < vips_image_get_height(image_.get())) {
      auto reading = failed(RowStatus::kDecodeFailed, format_);
      reading.rows = whole;
      const bool other_way = format_ == "tiff" && reading.status == RowStatus::kUnsupportedPixels;
      const auto reader = other_way ? open_tiff(bytes_) : nullptr;
      return reader ? reader->pixels(sink) : reading;
    }
    return {.rows = whole};
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view format_;
  VipsPointer image_;
  int width_;
  int height_;
  int shrunk_ = 1;
};

}  // namespace

Opened open_vips(std::span<const std::byte> bytes) {
  const auto format = find_format(bytes);
  if (format.empty()) return refuse_format(bytes);
  auto image = open_image(bytes, format, "");
  if (image) return {.reader = std::make_unique<VipsReader>(bytes, format, std::move(image))};
  auto reading = failed(RowStatus::kBadHeader, format);
  if (format == "webp" && reading.status == RowStatus::kBadHeader) reading.error += missing_webp(bytes);
  if (format == "tiff" && reading.status == RowStatus::kUnsupportedPixels) {
    auto reader = open_tiff(bytes);
    if (reader) return {.reader = std::move(reader)};
  }
  return refused(format, reading.status, std::move(reading.error));
}

bool turn(Raster& raster, int orientation) {
  VipsPointer image(vips_image_new_from_memory(raster.pixels.data(), raster.pixels.size(), raster.width,
                                               raster.height, raster.channels, VIPS_FORMAT_UCHAR));
  if (!image) return false;
  vips_image_set_int(image.get(), VIPS_META_ORIENTATION, orientation);
  if (!replace(image, [](VipsImage* in, VipsImage** out) { return vips_autorot(in, out, nullptr); }))
    return false;
  WholePicture turned;
  if (give_rows(image.get(), raster.palette, raster.cmyk, turned).read < vips_image_get_height(image.get()))
    return false;
  image.reset();
  raster = turned.release();
  return true;
}

}  // namespace quasar::image
