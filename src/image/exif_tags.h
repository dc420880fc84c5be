// Owns reading of what cameras and programs have noted in a picture: EXIF, out of the bytes of JPEG, PNG,
// WebP and TIFF files.
//
// By hand, as libvips gives values in words of its own; names and values are those of Python's exifread,
// which tables of training data have (img2dataset).
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace quasar::image {

/// Most tags of a picture that are read, and bytes of their names and values; what is beyond is left out.
inline constexpr std::size_t kMostExifTags = 256;
inline constexpr std::size_t kMostExifBytes = 8192;

/// Tags in the order of the file, each "Image Make", "EXIF FNumber", "GPS GPSLatitude", "Interoperability
/// ..." or "Thumbnail ..." with its value as text: a text, a number, a fraction in lowest terms ("28/5"), or
/// "[52, 30, 1]"; of more than 50 values the first 20. Unknown ones are "Image Tag 0x9999". Notes of makers
/// and comments of users, whose form nobody knows, are left out, and so is the picture's thumbnail. Empty for
/// what has none, for other formats, and for what is broken from its start; of what is broken later, what is
/// read until then. Texts may be no UTF-8. Throws nothing but std::bad_alloc.
std::vector<std::pair<std::string, std::string>> exif_tags(std::span<const std::byte> picture);

}  // namespace quasar::image
