#include "evaluation/folds.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <random>
#include <utility>

#include "base/errors.h"

namespace quasar::evaluation {

std::vector<std::size_t> random_order(std::size_t n, std::uint32_t seed) {
  QUASAR_CHECK(n <= (std::size_t{1} << 32U));
  std::mt19937 generator(seed);
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = n; i-- > 1;) {
    const std::uint32_t mask =
        ~std::uint32_t{0} >> static_cast<unsigned>(std::countl_zero(static_cast<std::uint32_t>(i)));
    std::uint32_t drawn = 0;
    do {
      drawn = static_cast<std::uint32_t>(generator()) & mask;
    } while (drawn > i);
    std::swap(order[i], order[drawn]);
  }
  return order;
}

std::vector<std::string> folds(std::size_t n, int folds, std::uint32_t seed) {
  if (folds < 2 || static_cast<std::size_t>(folds) > n)
    base::fail(base::ExitCode::kUsage, fmt::format("{} pictures cannot be cut into {} folds", n, folds));
  const auto order = random_order(n, seed);
  const std::size_t size = n / static_cast<std::size_t>(folds);
  std::vector<std::string> names(n);
  for (std::size_t i = 0; i < n; ++i)
    names[order[i]] = fmt::format("fold {}", std::min(i / size, static_cast<std::size_t>(folds) - 1) + 1);
  return names;
}

}  // namespace quasar::evaluation
