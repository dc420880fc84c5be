// Owns what is known of the 25 kinds of distortion at 5 levels of KADID-10k and KADIS-700k (Lin, Hosu, Saupe
// 2019): their names, parameters and human scores, and how one is written down. Renders nothing, so that who
// only reads of distortions loads no library of pictures.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace quasar::distort {

/// Numbered as in KADID-10k.
enum class DistortionKind : int {
  kGaussianBlur = 1,
  kLensBlur = 2,
  kMotionBlur = 3,
  kColourDiffusion = 4,
  kColourShift = 5,
  kColourQuantisation = 6,
  kSaturationHsv = 7,
  kSaturationLab = 8,
  kJpeg2000 = 9,
  kJpeg = 10,
  kWhiteNoise = 11,
  kWhiteNoiseYcbcr = 12,
  kImpulseNoise = 13,
  kMultiplicativeNoise = 14,
  kDenoise = 15,
  kBrighten = 16,
  kDarken = 17,
  kMeanShift = 18,
  kJitter = 19,
  kNonEccentricityPatch = 20,
  kPixelate = 21,
  kQuantisation = 22,
  kColourBlock = 23,
  kHighSharpen = 24,
  kContrastChange = 25,
};

inline constexpr int kDistortionKinds = 25;
inline constexpr int kDistortionLevels = 5;

struct DistortionInfo {
  DistortionKind kind;
  std::string_view name;                            ///< "gaussian_blur", ...
  std::array<double, kDistortionLevels> parameter;  ///< What the level means, in the kind's own unit.
  /// What people thought of the level in KADID-10k: mean DMOS over 81 photos, 1 worst to 5 imperceptible.
  std::array<double, kDistortionLevels> human_score;
};

/// What is done to a picture.
struct Distortion {
  DistortionKind kind = DistortionKind::kGaussianBlur;
  int level = 1;           ///< 1..kDistortionLevels
  std::uint64_t seed = 0;  ///< Of its randomness.

  friend bool operator==(const Distortion&, const Distortion&) = default;
};

/// "jpeg 3 1234": kind, level and seed, as files hold them.
std::string to_text(const Distortion& distortion);
/// And back; also with the number of the kind, as files of before have it. Nothing for a text that is none.
std::optional<Distortion> distortion_from_text(std::string_view text);

/// All kinds in order of their number.
std::span<const DistortionInfo> distortion_table();
/// That of one kind.
const DistortionInfo& info_of(DistortionKind kind);
/// The kind of a name, if there is one.
std::optional<DistortionKind> find_kind(std::string_view name);
/// What is said of a name that no kind has: which was meant, and which there are.
std::string no_such_kind(std::string_view name);

/// Whether this level of this kind gives back the picture as it was, as a shift by nothing does: five
/// of the 125 do.
bool leaves_unchanged(DistortionKind kind, int level);

}  // namespace quasar::distort
