#include "encoder/model_sizes.h"

#include <cmath>

namespace quasar::encoder {
namespace {

/// The whole root of a square, 0 of other numbers.
std::int64_t whole_root(std::int64_t square) {
  const auto root = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(square))));
  return root * root == square ? root : 0;
}

}  // namespace

std::int64_t VisionTransformerSizes::side() const {
  return whole_root(position_rows - 1) * patch;
}

std::int64_t SigLipSizes::grid() const {
  return whole_root(position_rows);
}

}  // namespace quasar::encoder
