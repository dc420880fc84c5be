// Owns rendered anchor data: items that stand for a degraded copy of a pristine picture, made in memory when
// read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "corpus/item.h"
#include "decode/worker_pool.h"

namespace quasar::dataset {

/// Pristine pictures from which degraded copies are rendered in memory, as anchor data.
struct DistortionRecipe {
  std::vector<int> kinds;   ///< Numbers 1..25; empty: all.
  std::vector<int> levels;  ///< 1..5; empty: all.
  std::uint64_t seed = 42;
};

/// Every item, each followed by its degraded copies ("photo.jpg#jpeg-3"), whose reference is the pristine
/// item's id. The randomness of a copy depends on the recipe's seed, the item's id, kind and level alone.
std::vector<corpus::Item> with_distortions(const std::vector<corpus::Item>& pristine,
                                           const DistortionRecipe& recipe);

/// What a decode worker is asked about an item: the degradation, if the item stands for a degraded copy.
decode::PictureRequest picture_request(const corpus::Item& item);

}  // namespace quasar::dataset
