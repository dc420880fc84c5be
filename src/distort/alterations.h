// Owns what becomes of a photo that is copied about: 40 alterations in four groups, by which it is measured
// how many altered copies a search for duplicates finds.
//
// Other than the distortions of KADID-10k, which a photo's quality is measured by, they keep what the photo
// shows and change its file, its frame or its place in the frame.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "image/raster.h"

namespace quasar::distort {

/// How far the pixels of a copy lie from where they were.
enum class AlterationGroup {
  kSameFrame,   ///< Recompressed, scaled, tone, blur, noise: the frame is the same.
  kSmallShift,  ///< Crop of 2 to 5%, border of 2%, text, logo, turned by 1 degree.
  kMirrored,    ///< Mirrored, or turned by a multiple of 90 degrees.
  kLargeShift,  ///< Crop of 10% and more, border of 5% and more, letterbox, turned by 3 degrees and more.
};
inline constexpr std::size_t kAlterationGroups = 4;

/// What a table calls the group.
std::string_view describe(AlterationGroup group);

struct Alteration {
  std::string_view name;  ///< "jpeg 50", "crop 5%", ...
  AlterationGroup group;
  image::RgbImage (*apply)(const image::RgbImage& image, double parameter, std::uint64_t seed);
  double parameter;  ///< What `apply` takes, in its own unit.
};

/// All 40, by group.
std::span<const Alteration> alterations();

/// Least side of a picture that can be altered, pixels.
inline constexpr int kLeastAlteredSide = 64;

/// The copy. `seed`: of its noise. Throws Error(kInternal) for a side below kLeastAlteredSide.
image::RgbImage altered(const image::RgbImage& image, const Alteration& alteration, std::uint64_t seed);

}  // namespace quasar::distort
