#include "encoder/model_sizes.h"

#include <cmath>

namespace quasar::encoder {

std::int64_t VisionTransformerSizes::side() const {
  const auto grid =
      static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(position_rows - 1))));
  return grid * grid == position_rows - 1 ? grid * patch : 0;
}

}  // namespace quasar::encoder
