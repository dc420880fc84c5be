#include "image/formats.h"
#include "image/byte_order.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace quasar::image {
namespace {

using base::RowStatus;

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

}  // namespace

bool is_heif(std::span<const std::byte> bytes) {
  constexpr std::array<std::string_view, 8> kBrands = {"avif", "avis", "mif1", "msf1",
                                                       "heic", "heix", "hevc", "hevx"};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 256));
  if (text.size() < 12 || text.substr(4, 4) != "ftyp") return false;
  const auto box = text.substr(0, std::min(text.size(), big_endian(bytes.first(4))));
  // The major brand, its version, and those that it goes with.
  for (std::size_t at = 8; at + 4 <= box.size(); at += at == 8 ? 8 : 4) {
    if (std::find(kBrands.begin(), kBrands.end(), box.substr(at, 4)) != kBrands.end()) return true;
  }
  return false;
}

Opened refuse_format(std::span<const std::byte> bytes) {
  if (const auto* mark = find_mark(kBroken, bytes)) {
    std::string error =
        "the content begins as " + std::string(mark->name) + ", and its directory cannot be read";
    // Where many writers put it; BigTIFFs have eight bytes for the place.
    if (bytes.size() >= 8 && mark->bytes[2] + mark->bytes[3] == '*') {
      const auto four = bytes.subspan(4, 4);
      const auto directory = mark->bytes[0] == 'I' ? little_endian(four) : big_endian(four);
      if (directory >= bytes.size())
        error += ": it stands at byte " + std::to_string(directory) + ", and the file ends after " +
                 std::to_string(bytes.size());
    }
    return refused({}, RowStatus::kBadHeader, std::move(error));
  }
  if (const auto* known = find_mark(kRefused, bytes)) {
    return refused({}, RowStatus::kBlockedFormat,
                   "the content looks like " + std::string(known->name) + ", which is not opened");
  }
  return refused({}, RowStatus::kUnknownFormat, "the content is no JPEG, PNG, WebP, TIFF, GIF or HEIF/AVIF");
}

}  // namespace quasar::image
