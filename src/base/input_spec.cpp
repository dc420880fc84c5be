#include "base/input_spec.h"

#include <cstdio>

namespace quasar::base {

std::string describe(const InputSpec& spec) {
  std::string text;
  switch (spec.resize) {
    case ResizeRule::kNone:
      text = "native";
      break;
    case ResizeRule::kShorterSide:
      text = "shorter-side " + std::to_string(spec.size);
      break;
    case ResizeRule::kSquare:
      text = "square " + std::to_string(spec.size);
      break;
    case ResizeRule::kShorterSideAtMost:
      text = "shorter-side-at-most " + std::to_string(spec.size);
      break;
  }
  // Nothing is said of the usual one: texts of earlier versions stay equal.
  if (spec.filter == ResizeFilter::kBilinear) text += ", bilinear";
  if (spec.center_crop) text += ", center-crop " + std::to_string(spec.size);
  char numbers[160];
  std::snprintf(numbers, sizeof numbers, ", mean %.9g %.9g %.9g, std %.9g %.9g %.9g", spec.mean[0],
                spec.mean[1], spec.mean[2], spec.std[0], spec.std[1], spec.std[2]);
  return text + numbers;
}

}  // namespace quasar::base
