#include "cluster/row_source.h"

#include <algorithm>

#include "base/errors.h"

namespace quasar::cluster {

void MemoryRows::read(std::int64_t first, std::int64_t count, std::span<float> values,
                      std::span<std::int64_t> numbers) {
  QUASAR_CHECK(first >= 0 && count >= 0 && first + count <= size());
  const auto begin = static_cast<std::size_t>(first);
  const auto rows = static_cast<std::size_t>(count);
  if (!values.empty()) {
    std::ranges::copy(rows_.values.subspan(begin * rows_.dimension, rows * rows_.dimension), values.begin());
  }
  if (!numbers.empty()) std::ranges::copy(rows_.numbers.subspan(begin, rows), numbers.begin());
}

}  // namespace quasar::cluster
