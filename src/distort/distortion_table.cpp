#include "distort/distortion_table.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/nearest_word.h"

namespace quasar::distort {
namespace {

using Kind = DistortionKind;

constexpr std::array<DistortionInfo, kDistortionKinds> kTable = {{
    {Kind::kGaussianBlur, "gaussian_blur", {0.1, 0.5, 1, 2, 5}, {4.61, 4.38, 2.91, 1.87, 1.30}},
    {Kind::kLensBlur, "lens_blur", {1, 2, 4, 6, 8}, {3.86, 2.65, 1.76, 1.44, 1.30}},
    {Kind::kMotionBlur, "motion_blur", {1, 2, 4, 6, 10}, {4.60, 4.10, 2.85, 2.18, 1.67}},
    {Kind::kColourDiffusion, "colour_diffusion", {1, 3, 6, 8, 12}, {4.50, 2.60, 1.76, 1.61, 1.39}},
    {Kind::kColourShift, "colour_shift", {1, 3, 6, 8, 12}, {4.23, 2.55, 1.92, 1.85, 1.86}},
    {Kind::kColourQuantisation, "colour_quantisation", {64, 48, 32, 16, 8}, {4.11, 3.97, 3.72, 3.20, 2.42}},
    {Kind::kSaturationHsv, "saturation_hsv", {0.4, 0.2, 0.1, 0, -0.4}, {2.75, 2.33, 2.26, 2.24, 2.03}},
    {Kind::kSaturationLab, "saturation_lab", {1, 2, 3, 6, 9}, {4.58, 3.33, 2.65, 1.82, 1.52}},
    {Kind::kJpeg2000, "jpeg2000", {16, 32, 45, 120, 170}, {4.55, 4.20, 3.87, 2.44, 1.39}},
    {Kind::kJpeg, "jpeg", {43, 36, 24, 7, 4}, {4.34, 4.25, 3.87, 1.95, 1.35}},
    {Kind::kWhiteNoise, "white_noise", {0.001, 0.002, 0.003, 0.005, 0.01}, {3.89, 3.39, 3.05, 2.71, 2.30}},
    {Kind::kWhiteNoiseYcbcr,
     "white_noise_ycbcr",
     {0.0001, 0.0005, 0.001, 0.002, 0.003},
     {4.47, 3.68, 3.17, 2.69, 2.38}},
    {Kind::kImpulseNoise, "impulse_noise", {0.001, 0.005, 0.01, 0.02, 0.03}, {3.58, 2.93, 2.61, 2.31, 2.13}},
    {Kind::kMultiplicativeNoise,
     "multiplicative_noise",
     {0.001, 0.005, 0.01, 0.02, 0.05},
     {4.40, 3.58, 3.08, 2.64, 2.12}},
    // The original removes its noise with a network; the variances here make a guided filter do similar harm.
    {Kind::kDenoise, "denoise", {0.002, 0.005, 0.01, 0.02, 0.04}, {3.67, 2.73, 2.20, 1.65, 1.47}},
    {Kind::kBrighten, "brighten", {0.1, 0.2, 0.4, 0.7, 1.1}, {4.51, 4.29, 3.63, 2.70, 1.81}},
    {Kind::kDarken, "darken", {0.05, 0.1, 0.2, 0.4, 0.8}, {4.60, 4.53, 4.23, 3.53, 2.22}},
    {Kind::kMeanShift, "mean_shift", {-0.15, -0.08, 0, 0.08, 0.15}, {4.22, 4.52, 4.60, 4.37, 3.90}},
    {Kind::kJitter, "jitter", {0.05, 0.1, 0.2, 0.5, 1}, {4.42, 4.09, 3.24, 1.85, 1.34}},
    {Kind::kNonEccentricityPatch,
     "non_eccentricity_patch",
     {20, 40, 60, 80, 100},
     {4.33, 3.94, 3.77, 3.46, 3.26}},
    {Kind::kPixelate, "pixelate", {0.01, 0.05, 0.1, 0.2, 0.5}, {3.89, 3.10, 2.90, 2.79, 1.50}},
    {Kind::kQuantisation, "quantisation", {20, 16, 13, 10, 7}, {4.17, 3.93, 3.69, 3.37, 2.80}},
    {Kind::kColourBlock, "colour_block", {2, 4, 6, 8, 10}, {2.69, 2.36, 2.30, 2.13, 2.04}},
    {Kind::kHighSharpen, "high_sharpen", {1, 2, 3, 6, 12}, {3.58, 2.64, 2.14, 1.61, 1.34}},
    {Kind::kContrastChange, "contrast_change", {-0.6, -0.4, 0, 0.15, 0.3}, {3.42, 3.86, 4.29, 4.14, 3.32}},
}};

}  // namespace

std::span<const DistortionInfo> distortion_table() {
  return kTable;
}

const DistortionInfo& info_of(DistortionKind kind) {
  return kTable.at(static_cast<std::size_t>(kind) - 1);
}

std::optional<DistortionKind> find_kind(std::string_view name) {
  const auto* const found =
      std::find_if(kTable.begin(), kTable.end(), [&](const auto& info) { return info.name == name; });
  return found == kTable.end() ? std::nullopt : std::optional(found->kind);
}

std::string no_such_kind(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& info : kTable) names.emplace_back(info.name);
  return fmt::format("there is no distortion \"{}\"{} There are: {}", name,
                     base::did_you_mean(name, names, "."), fmt::join(names, ", "));
}

bool leaves_unchanged(DistortionKind kind, int level) {
  switch (kind) {
    case Kind::kGaussianBlur:  // A sigma of 0.1 px reaches no neighbour.
    case Kind::kMotionBlur:    // A stroke of one pixel.
    case Kind::kSaturationLab:
      return level == 1;
    case Kind::kMeanShift:
    case Kind::kContrastChange:
      return level == 3;
    default:
      return false;
  }
}

std::string to_text(const Distortion& distortion) {
  return std::string(info_of(distortion.kind).name) + " " + std::to_string(distortion.level) + " " +
         std::to_string(distortion.seed);
}

std::optional<Distortion> distortion_from_text(std::string_view text) {
  const auto word = [&text] {
    const auto end = std::min(text.find(' '), text.size());
    const auto first = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return first;
  };
  const auto number = [](std::string_view digits, auto& value) {
    const char* const end = digits.data() + digits.size();
    const auto result = std::from_chars(digits.data(), end, value);
    return !digits.empty() && result.ec == std::errc{} && result.ptr == end;
  };
  const auto kind = word();
  const auto level = word();
  const auto seed = word();
  int kind_number = 0;
  if (!number(kind, kind_number)) {
    const auto found = find_kind(kind);
    kind_number = found ? static_cast<int>(*found) : 0;
  }
  Distortion distortion;
  if (!text.empty() || kind_number < 1 || kind_number > kDistortionKinds ||
      !number(level, distortion.level) || distortion.level < 1 || distortion.level > kDistortionLevels ||
      !number(seed, distortion.seed))
    return std::nullopt;
  distortion.kind = static_cast<DistortionKind>(kind_number);
  return distortion;
}

}  // namespace quasar::distort
