#include "image/exif_tags.h"
#include "image/byte_order.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

namespace quasar::image {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint16_t kExifOffset = 0x8769;
constexpr std::uint16_t kGpsOffset = 0x8825;
constexpr std::uint16_t kInteroperabilityOffset = 0xA005;
/// Of which nobody knows the form: packet of XMP, notes of makers, comments of users.
constexpr std::array<std::uint16_t, 3> kLeftOut = {0x02BC, 0x927C, 0x9286};
/// Values from which a list is cut, and to how many.
constexpr std::uint32_t kLongList = 50;
constexpr std::uint32_t kListed = 20;
/// Longest text of one value.
constexpr std::size_t kLongestText = 1000;

struct Name {
  std::uint16_t tag;
  std::string_view name;
};

/// CIPA DC-008 (Exif 2.32), TIFF 6.0, and those of Windows.
constexpr auto kNames = std::to_array<Name>({
    {0x0100, "ImageWidth"},
    {0x0101, "ImageLength"},
    {0x0102, "BitsPerSample"},
    {0x0103, "Compression"},
    {0x0106, "PhotometricInterpretation"},
    {0x010A, "FillOrder"},
    {0x010D, "DocumentName"},
    {0x010E, "ImageDescription"},
    {0x010F, "Make"},
    {0x0110, "Model"},
    {0x0111, "StripOffsets"},
    {0x0112, "Orientation"},
    {0x0115, "SamplesPerPixel"},
    {0x0116, "RowsPerStrip"},
    {0x0117, "StripByteCounts"},
    {0x011A, "XResolution"},
    {0x011B, "YResolution"},
    {0x011C, "PlanarConfiguration"},
    {0x011D, "PageName"},
    {0x011E, "XPosition"},
    {0x011F, "YPosition"},
    {0x0128, "ResolutionUnit"},
    {0x0129, "PageNumber"},
    {0x012D, "TransferFunction"},
    {0x0131, "Software"},
    {0x0132, "DateTime"},
    {0x013B, "Artist"},
    {0x013C, "HostComputer"},
    {0x013D, "Predictor"},
    {0x013E, "WhitePoint"},
    {0x013F, "PrimaryChromaticities"},
    {0x0140, "ColorMap"},
    {0x0142, "TileWidth"},
    {0x0143, "TileLength"},
    {0x0144, "TileOffsets"},
    {0x0145, "TileByteCounts"},
    {0x0152, "ExtraSamples"},
    {0x0153, "SampleFormat"},
    {0x0201, "JPEGInterchangeFormat"},
    {0x0202, "JPEGInterchangeFormatLength"},
    {0x0211, "YCbCrCoefficients"},
    {0x0212, "YCbCrSubSampling"},
    {0x0213, "YCbCrPositioning"},
    {0x0214, "ReferenceBlackWhite"},
    {0x4746, "Rating"},
    {0x8298, "Copyright"},
    {0x829A, "ExposureTime"},
    {0x829D, "FNumber"},
    {0x83BB, "IPTC/NAA"},
    {0x8769, "ExifOffset"},
    {0x8773, "InterColorProfile"},
    {0x8822, "ExposureProgram"},
    {0x8824, "SpectralSensitivity"},
    {0x8825, "GPSInfo"},
    {0x8827, "ISOSpeedRatings"},
    {0x8828, "OECF"},
    {0x8830, "SensitivityType"},
    {0x8832, "RecommendedExposureIndex"},
    {0x8833, "ISOSpeed"},
    {0x9000, "ExifVersion"},
    {0x9003, "DateTimeOriginal"},
    {0x9004, "DateTimeDigitized"},
    {0x9010, "OffsetTime"},
    {0x9011, "OffsetTimeOriginal"},
    {0x9012, "OffsetTimeDigitized"},
    {0x9101, "ComponentsConfiguration"},
    {0x9102, "CompressedBitsPerPixel"},
    {0x9201, "ShutterSpeedValue"},
    {0x9202, "ApertureValue"},
    {0x9203, "BrightnessValue"},
    {0x9204, "ExposureBiasValue"},
    {0x9205, "MaxApertureValue"},
    {0x9206, "SubjectDistance"},
    {0x9207, "MeteringMode"},
    {0x9208, "LightSource"},
    {0x9209, "Flash"},
    {0x920A, "FocalLength"},
    {0x9214, "SubjectArea"},
    {0x9290, "SubSecTime"},
    {0x9291, "SubSecTimeOriginal"},
    {0x9292, "SubSecTimeDigitized"},
    {0x9C9B, "XPTitle"},
    {0x9C9C, "XPComment"},
    {0x9C9D, "XPAuthor"},
    {0x9C9E, "XPKeywords"},
    {0x9C9F, "XPSubject"},
    {0xA000, "FlashPixVersion"},
    {0xA001, "ColorSpace"},
    {0xA002, "ExifImageWidth"},
    {0xA003, "ExifImageLength"},
    {0xA004, "RelatedSoundFile"},
    {0xA005, "InteroperabilityOffset"},
    {0xA20B, "FlashEnergy"},
    {0xA20C, "SpatialFrequencyResponse"},
    {0xA20E, "FocalPlaneXResolution"},
    {0xA20F, "FocalPlaneYResolution"},
    {0xA210, "FocalPlaneResolutionUnit"},
    {0xA214, "SubjectLocation"},
    {0xA215, "ExposureIndex"},
    {0xA217, "SensingMethod"},
    {0xA300, "FileSource"},
    {0xA301, "SceneType"},
    {0xA302, "CVAPattern"},
    {0xA401, "CustomRendered"},
    {0xA402, "ExposureMode"},
    {0xA403, "WhiteBalance"},
    {0xA404, "DigitalZoomRatio"},
    {0xA405, "FocalLengthIn35mmFilm"},
    {0xA406, "SceneCaptureType"},
    {0xA407, "GainControl"},
    {0xA408, "Contrast"},
    {0xA409, "Saturation"},
    {0xA40A, "Sharpness"},
    {0xA40B, "DeviceSettingDescription"},
    {0xA40C, "SubjectDistanceRange"},
    {0xA420, "ImageUniqueID"},
    {0xA430, "CameraOwnerName"},
    {0xA431, "BodySerialNumber"},
    {0xA432, "LensSpecification"},
    {0xA433, "LensMake"},
    {0xA434, "LensModel"},
    {0xA435, "LensSerialNumber"},
    {0xA500, "Gamma"},
    {0xC4A5, "PrintIM"},
});

constexpr auto kGpsNames = std::to_array<std::string_view>({"GPSVersionID",       "GPSLatitudeRef",
                                                            "GPSLatitude",        "GPSLongitudeRef",
                                                            "GPSLongitude",       "GPSAltitudeRef",
                                                            "GPSAltitude",        "GPSTimeStamp",
                                                            "GPSSatellites",      "GPSStatus",
                                                            "GPSMeasureMode",     "GPSDOP",
                                                            "GPSSpeedRef",        "GPSSpeed",
                                                            "GPSTrackRef",        "GPSTrack",
                                                            "GPSImgDirectionRef", "GPSImgDirection",
                                                            "GPSMapDatum",        "GPSDestLatitudeRef",
                                                            "GPSDestLatitude",    "GPSDestLongitudeRef",
                                                            "GPSDestLongitude",   "GPSDestBearingRef",
                                                            "GPSDestBearing",     "GPSDestDistanceRef",
                                                            "GPSDestDistance",    "GPSProcessingMethod",
                                                            "GPSAreaInformation", "GPSDate",
                                                            "GPSDifferential"});

constexpr auto kInteroperabilityNames = std::to_array<Name>({{0x0001, "InteroperabilityIndex"},
                                                             {0x0002, "InteroperabilityVersion"},
                                                             {0x1000, "RelatedImageFileFormat"},
                                                             {0x1001, "RelatedImageWidth"},
                                                             {0x1002, "RelatedImageLength"}});

/// Bytes of one value by its type; 0 for a type that is none.
constexpr std::array<std::uint32_t, 13> kTypeBytes = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};
enum Type : std::uint16_t {
  kAscii = 2,
  kLong = 4,
  kRatio = 5,
  kUndefined = 7,
  kSignedRatio = 10,
  kFloat = 11,
  kDouble = 12
};

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The directories of a block of EXIF, a TIFF file without a picture.
class Directories {
 public:
  explicit Directories(Bytes block) : block_(block) {}

  std::vector<std::pair<std::string, std::string>> read() {
    const auto mark = text_of(block_.first(std::min<std::size_t>(block_.size(), 4)));
    if (mark == std::string_view("MM\0*", 4)) {
      big_ = true;
    } else if (mark != std::string_view("II*\0", 4)) {
      return {};
    }
    const auto first = number(4, 4);
    if (!first) return {};
    const auto second = read_directory(static_cast<std::size_t>(*first), "Image");
    if (second) read_directory(static_cast<std::size_t>(*second), "Thumbnail");
    return std::move(tags_);
  }

 private:
  std::optional<std::uint64_t> number(std::size_t place, std::size_t bytes) const {
    if (place > block_.size() || block_.size() - place < bytes) return std::nullopt;
    const auto found = block_.subspan(place, bytes);
    return big_ ? big_endian(found) : little_endian(found);
  }

  /// Where the next begins, if there is one.
  std::optional<std::uint64_t> read_directory(std::size_t place, std::string_view group) {
    // What names itself, or one before it, would go round for ever.
    if (!seen_.insert(place).second) return std::nullopt;
    const auto entries = number(place, 2);
    if (!entries) return std::nullopt;
    for (std::size_t i = 0; i < *entries; ++i) {
      if (!read_entry(place + 2 + 12 * i, group)) return std::nullopt;
    }
    const auto next = number(place + 2 + 12 * static_cast<std::size_t>(*entries), 4);
    return next && *next != 0 ? next : std::nullopt;
  }

  /// False where nothing more is to be read.
  bool read_entry(std::size_t place, std::string_view group) {
    const auto tag_number = number(place, 2);
    const auto type_number = number(place + 2, 2);
    const auto count_number = number(place + 4, 4);
    if (!tag_number || !type_number || !count_number || !number(place + 8, 4)) return false;
    if (tags_.size() >= kMostExifTags) return false;
    const auto tag = static_cast<std::uint16_t>(*tag_number);
    const auto type = static_cast<std::uint16_t>(*type_number);
    const auto count = static_cast<std::uint32_t>(*count_number);
    if (type == 0 || type >= kTypeBytes.size()) return true;
    if (std::find(kLeftOut.begin(), kLeftOut.end(), tag) != kLeftOut.end()) return true;
    const std::uint64_t bytes = std::uint64_t{count} * kTypeBytes.at(type);
    std::size_t values = place + 8;
    if (bytes > 4) values = static_cast<std::size_t>(*number(place + 8, 4));
    if (values > block_.size()) return true;
    // Of what is cut off, what is there.
    const auto there = block_.subspan(
        values, static_cast<std::size_t>(std::min<std::uint64_t>(bytes, block_.size() - values)));
    auto name = std::string(group) + " " + name_of(tag, group);
    auto value = value_of(tag, type, count, there);
    if (size_ + name.size() + value.size() > kMostExifBytes) return false;
    size_ += name.size() + value.size();
    tags_.emplace_back(std::move(name), std::move(value));
    if (type != kLong) return true;
    const auto offset = number(place + 8, 4);
    if (group == "Image" && tag == kExifOffset) read_directory(static_cast<std::size_t>(*offset), "EXIF");
    if (group == "Image" && tag == kGpsOffset) read_directory(static_cast<std::size_t>(*offset), "GPS");
    if (group == "EXIF" && tag == kInteroperabilityOffset)
      read_directory(static_cast<std::size_t>(*offset), "Interoperability");
    return true;
  }

  static std::string name_of(std::uint16_t tag, std::string_view group) {
    if (group == "GPS") {
      if (tag < kGpsNames.size()) return std::string(kGpsNames.at(tag));
    } else {
      const auto names = group == "Interoperability" ? std::span<const Name>(kInteroperabilityNames)
                                                     : std::span<const Name>(kNames);
      const auto found =
          std::find_if(names.begin(), names.end(), [&](const Name& name) { return name.tag == tag; });
      if (found != names.end()) return std::string(found->name);
    }
    return fmt::format("Tag 0x{:04X}", tag);
  }

  static std::string trimmed(std::string_view text) {
    text = text.substr(0, std::min(text.find('\0'), kLongestText));
    constexpr std::string_view kSpace = " \t\r\n\v\f";
    const auto begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return std::string(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
  }

  std::string value_of(std::uint16_t tag, std::uint16_t type, std::uint32_t count, Bytes bytes) const {
    if (type == kAscii) return trimmed(text_of(bytes));
    // Versions are digits: "0230".
    if (type == kUndefined && (tag == 0x9000 || tag == 0xA000 || tag == 0x0002)) {
      std::string digits;
      for (const char c : text_of(bytes)) {
        if (c >= ' ' && c < '\x7f') digits += c;
      }
      return digits;
    }
    const std::size_t size = kTypeBytes.at(type);
    const auto there = static_cast<std::uint32_t>(bytes.size() / size);
    if (count == 1) return there == 1 ? scalar(type, bytes) : std::string();
    const bool cut = count > kLongList && there > kListed;
    std::string list = "[";
    for (std::uint32_t i = 0; i < (cut ? kListed : there); ++i) {
      if (list.size() > kLongestText) break;
      list += (i == 0 ? "" : ", ") + scalar(type, bytes.subspan(i * size, size));
    }
    return list + (cut ? ", ... ]" : "]");
  }

  std::string scalar(std::uint16_t type, Bytes bytes) const {
    const auto whole = [&](Bytes part) { return big_ ? big_endian(part) : little_endian(part); };
    const auto as_signed = [](std::uint64_t value, std::size_t size) {
      return static_cast<std::int64_t>(value << (64 - 8 * size)) >> (64 - 8 * size);
    };
    switch (type) {
      case kRatio:
        return fraction(static_cast<std::int64_t>(whole(bytes.first(4))),
                        static_cast<std::int64_t>(whole(bytes.subspan(4))));
      case kSignedRatio:
        return fraction(as_signed(whole(bytes.first(4)), 4), as_signed(whole(bytes.subspan(4)), 4));
      case kFloat:
        return fmt::format("{}", std::bit_cast<float>(static_cast<std::uint32_t>(whole(bytes))));
      case kDouble:
        return fmt::format("{}", std::bit_cast<double>(whole(bytes)));
      case 6:
      case 8:
      case 9:
        return std::to_string(as_signed(whole(bytes), bytes.size()));
      default:
        return std::to_string(whole(bytes));
    }
  }

  static std::string fraction(std::int64_t over, std::int64_t under) {
    const auto common = std::gcd(over, under);
    if (under == 0 || common == 0) return fmt::format("{}/{}", over, under);
    over /= under < 0 ? -common : common;
    under = std::abs(under) / common;
    return under == 1 ? std::to_string(over) : fmt::format("{}/{}", over, under);
  }

  Bytes block_;
  bool big_ = false;
  std::set<std::size_t> seen_;
  std::vector<std::pair<std::string, std::string>> tags_;
  std::size_t size_ = 0;
};

constexpr std::string_view kExifMark("Exif\0\0", 6);

/// Of a JPEG: the first segment of EXIF before the pixels.
Bytes block_of_jpeg(Bytes file) {
  std::size_t place = 2;
  while (place + 4 <= file.size() && file[place] == std::byte{0xFF}) {
    const auto marker = std::to_integer<unsigned>(file[place + 1]);
    if (marker == 0xFF) {
      ++place;
      continue;
    }
    if (marker == 0xD9 || marker == 0xDA) return {};
    if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
      place += 2;
      continue;
    }
    const auto length = static_cast<std::size_t>(big_endian(file.subspan(place + 2, 2)));
    if (length < 2 || file.size() - place - 2 < length) return {};
    const auto segment = file.subspan(place + 4, length - 2);
    if (marker == 0xE1 && text_of(segment).starts_with(kExifMark)) return segment.subspan(kExifMark.size());
    place += 2 + length;
  }
  return {};
}

/// Of a PNG: its chunk eXIf.
Bytes block_of_png(Bytes file) {
  for (std::size_t place = 8; place + 12 <= file.size();) {
    const auto length = big_endian(file.subspan(place, 4));
    const auto name = text_of(file.subspan(place + 4, 4));
    if (length > file.size() - place - 12) return {};
    if (name == "eXIf") return file.subspan(place + 8, static_cast<std::size_t>(length));
    place += 12 + static_cast<std::size_t>(length);
  }
  return {};
}

/// Of a WebP: its chunk EXIF, with or without the mark of JPEG's segment.
Bytes block_of_webp(Bytes file) {
  for (std::size_t place = 12; place + 8 <= file.size();) {
    const auto length = static_cast<std::size_t>(little_endian(file.subspan(place + 4, 4)));
    if (length > file.size() - place - 8) return {};
    if (text_of(file.subspan(place, 4)) == "EXIF") {
      const auto block = file.subspan(place + 8, length);
      return text_of(block).starts_with(kExifMark) ? block.subspan(kExifMark.size()) : block;
    }
    place += 8 + length + length % 2;
  }
  return {};
}

Bytes block_of(Bytes file) {
  const auto text = text_of(file);
  if (text.starts_with("\xFF\xD8\xFF")) return block_of_jpeg(file);
  if (text.starts_with("\x89PNG\r\n\x1A\n")) return block_of_png(file);
  if (text.starts_with("RIFF") && text.size() >= 12 && text.substr(8, 4) == "WEBP")
    return block_of_webp(file);
  return file;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> exif_tags(std::span<const std::byte> picture) {
  return Directories(block_of(picture)).read();
}

}  // namespace quasar::image
