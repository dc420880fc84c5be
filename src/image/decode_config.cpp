#include "image/decode_config.h"

namespace quasar::image {

DecodeConfig decode_config_from_yaml(const base::ConfigNode& node) {
  DecodeConfig config;
  config.max_pixels = node.get_in<std::int64_t>("max_pixels", config.max_pixels, 1, std::int64_t{1} << 40U);
  config.max_side = node.get_in<int>("max_side", config.max_side, 1, 10'000'000);
  config.min_side = node.get_in<int>("min_side", config.min_side, 1, 10'000'000);
  config.max_file_bytes =
      node.get_in<std::int64_t>("max_file_bytes", config.max_file_bytes, 1, std::int64_t{1} << 40U);
  config.mode =
      node.get_enum("mode", config.mode, {{"exact", DecodeMode::kExact}, {"fast", DecodeMode::kFast}});
  config.truncated = node.get_enum("truncated", config.truncated,
                                   {{"fail", TruncatedPictures::kFail}, {"keep", TruncatedPictures::kKeep}});
  config.honour_orientation = node.get<bool>("honour_orientation", config.honour_orientation);
  config.timeout_s = node.get_in<double>("timeout_s", config.timeout_s, 0.01, 86400);
  node.finish();
  return config;
}

std::string describe_pixels(const DecodeConfig& config) {
  std::string text = config.honour_orientation ? "orientation honoured" : "orientation ignored";
  if (config.mode == DecodeMode::kFast) text += ", shrunk while decoding";
  return text;
}

std::string describe(const DecodeConfig& config) {
  std::string text = describe_pixels(config);
  if (config.truncated == TruncatedPictures::kKeep) text += ", truncated kept";
  return text;
}

}  // namespace quasar::image
