#include "dataset/distorted_items.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/checksum.h"
#include "base/random.h"
#include "image/distortions.h"

namespace quasar::dataset {
namespace {

constexpr const char* kField = "quasar:distortion";
constexpr int kLevels = 5;

std::optional<ItemDistortion> parse(const std::string& text) {
  ItemDistortion distortion;
  const char* const end = text.data() + text.size();
  const auto kind = std::from_chars(text.data(), end, distortion.kind);
  if (kind.ptr == end) return std::nullopt;
  const auto level = std::from_chars(kind.ptr + 1, end, distortion.level);
  if (level.ptr == end) return std::nullopt;
  const auto seed = std::from_chars(level.ptr + 1, end, distortion.seed);
  const bool valid = kind.ec == std::errc{} && level.ec == std::errc{} && seed.ec == std::errc{} &&
                     seed.ptr == end && distortion.kind >= 1 &&
                     distortion.kind <= static_cast<int>(image::distortion_table().size()) &&
                     distortion.level >= 1 && distortion.level <= kLevels;
  return valid ? std::optional(distortion) : std::nullopt;
}

}  // namespace

std::vector<corpus::Item> with_distortions(const std::vector<corpus::Item>& pristine,
                                           const DistortionRecipe& recipe) {
  std::vector<int> kinds = recipe.kinds;
  if (kinds.empty()) {
    kinds.resize(image::distortion_table().size());
    std::iota(kinds.begin(), kinds.end(), 1);
  }
  std::vector<int> levels = recipe.levels;
  if (levels.empty()) levels = {1, 2, 3, 4, 5};
  std::vector<corpus::Item> items;
  items.reserve(pristine.size() * (1 + kinds.size() * levels.size()));
  for (const auto& item : pristine) {
    items.push_back(item);
    items.back().group.clear();
    const std::uint64_t seed = base::xxh64(item.id, recipe.seed);
    for (const int kind : kinds) {
      for (const int level : levels) {
        corpus::Item copy = item;
        const auto name = image::distortion_table()[static_cast<std::size_t>(kind - 1)].name;
        copy.id += "#" + std::string(name) + "-" + std::to_string(level);
        copy.group = item.id;
        copy.label.reset();
        const auto own_seed =
            base::derive_seed(seed, static_cast<std::uint64_t>(kind), static_cast<std::uint64_t>(level));
        copy.fields.emplace_back(
            kField, std::to_string(kind) + " " + std::to_string(level) + " " + std::to_string(own_seed));
        items.push_back(std::move(copy));
      }
    }
  }
  return items;
}

decode::PictureRequest picture_request(const corpus::Item& item) {
  decode::PictureRequest request{.id = item.id};
  if (const auto distortion = stated_distortion(item)) {
    request.distortion = {static_cast<image::DistortionKind>(distortion->kind), distortion->level,
                          distortion->seed};
  }
  return request;
}

std::optional<ItemDistortion> stated_distortion(const corpus::Item& item) {
  for (const auto& [name, value] : item.fields) {
    if (name == kField) return parse(value);
  }
  return std::nullopt;
}

std::optional<ItemDistortion> stated_distortion(const std::string& fields_json) {
  if (fields_json.empty()) return std::nullopt;
  const auto object = nlohmann::json::parse(fields_json, nullptr, false);
  if (!object.is_object() || !object.contains(kField) || !object[kField].is_string()) return std::nullopt;
  return parse(object[kField].get<std::string>());
}

}  // namespace quasar::dataset
