#include "dataset/distorted_items.h"

#include <numeric>

#include "base/checksum.h"
#include "base/random.h"
#include "distort/distortion_table.h"

namespace quasar::dataset {

std::vector<corpus::Item> with_distortions(const std::vector<corpus::Item>& pristine,
                                           const DistortionRecipe& recipe) {
  std::vector<int> kinds = recipe.kinds;
  if (kinds.empty()) {
    kinds.resize(distort::distortion_table().size());
    std::iota(kinds.begin(), kinds.end(), 1);
  }
  std::vector<int> levels = recipe.levels;
  if (levels.empty()) levels = {1, 2, 3, 4, 5};
  std::vector<corpus::Item> items;
  items.reserve(pristine.size() * (1 + kinds.size() * levels.size()));
  for (const auto& item : pristine) {
    items.push_back(item);
    items.back().reference.clear();
    const std::uint64_t seed = base::xxh64(item.id, recipe.seed);
    for (const int kind : kinds) {
      for (const int level : levels) {
        corpus::Item copy = item;
        const auto name = distort::info_of(static_cast<distort::DistortionKind>(kind)).name;
        copy.id += "#" + std::string(name) + "-" + std::to_string(level);
        copy.reference = item.id;
        copy.label.reset();
        const auto own_seed =
            base::derive_seed(seed, static_cast<std::uint64_t>(kind), static_cast<std::uint64_t>(level));
        copy.distortion = {static_cast<distort::DistortionKind>(kind), level, own_seed};
        items.push_back(std::move(copy));
      }
    }
  }
  return items;
}

decode::PictureRequest picture_request(const corpus::Item& item) {
  return {.id = item.id, .distortion = item.distortion};
}

}  // namespace quasar::dataset
