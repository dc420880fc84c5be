#include "encoder/encoder_yaml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/dataset_name.h"
#include "base/file_status.h"
#include "base/nearest_word.h"
#include "base/shipped_file.h"

namespace quasar::encoder {
namespace {

using Triple = std::array<double, 3>;

enum class Statistics { kClip, kImageNet, kHalf, kNone };

constexpr int kMaxSide = 16384;
constexpr int kMaxBatch = 65536;

std::pair<Triple, Triple> values_of(Statistics statistics) {
  switch (statistics) {
    case Statistics::kClip:
      return {base::InputSpec{}.mean, base::InputSpec{}.std};
    case Statistics::kImageNet:
      return {{0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}};
    case Statistics::kHalf:
      return {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
    case Statistics::kNone:
      return {{0, 0, 0}, {1, 1, 1}};
  }
  return {};
}

Triple triple(const base::ConfigNode& node) {
  const auto elements = node.elements();
  if (elements.size() != 3) node.fail("three numbers are needed, for red, green and blue");
  Triple values{};
  for (std::size_t i = 0; i < 3; ++i) values[i] = elements[i].as<double>();
  return values;
}

base::InputSpec input_from_yaml(const base::ConfigNode& node, base::InputSpec spec) {
  const bool resize_given = node.has("resize");
  spec.resize = node.get_enum("resize", spec.resize,
                              {{"none", base::ResizeRule::kNone},
                               {"shorter_side", base::ResizeRule::kShorterSide},
                               {"shorter_side_at_most", base::ResizeRule::kShorterSideAtMost},
                               {"square", base::ResizeRule::kSquare}});
  spec.filter =
      node.get_enum("filter", spec.filter,
                    {{"bicubic", base::ResizeFilter::kBicubic}, {"bilinear", base::ResizeFilter::kBilinear}});
  spec.size = node.get_in<int>("size", spec.size, 1, kMaxSide);
  if (resize_given && spec.resize != base::ResizeRule::kShorterSide) spec.center_crop = false;
  spec.center_crop = node.get<bool>("crop", spec.center_crop);
  if (spec.center_crop && spec.resize != base::ResizeRule::kShorterSide) {
    node.fail("crop: true needs resize: shorter_side");
  }
  spec.min_side = node.get_in<int>("min_side", spec.min_side, 1, kMaxSide);
  if (node.has("statistics")) {
    if (node.has("mean") || node.has("std")) node.fail("give either \"statistics\" or \"mean\" and \"std\"");
    const auto statistics = node.get_enum("statistics", Statistics::kClip,
                                          {{"clip", Statistics::kClip},
                                           {"imagenet", Statistics::kImageNet},
                                           {"half", Statistics::kHalf},
                                           {"none", Statistics::kNone}});
    std::tie(spec.mean, spec.std) = values_of(statistics);
  }
  if (node.has("mean")) spec.mean = triple(node.child("mean"));
  if (node.has("std")) spec.std = triple(node.child("std"));
  if (std::any_of(spec.std.begin(), spec.std.end(), [](double v) { return !(v > 0); })) {
    node.fail("std must be positive");
  }
  node.finish();
  return spec;
}

HeadCounts heads_from_yaml(const base::ConfigNode& node, const std::string& architecture) {
  constexpr int kMaxHeads = 1024;
  if (architecture.find("-any") == std::string::npos)
    node.fail("the head counts of " + architecture + " are known; only the \"any\" architectures take some");
  HeadCounts heads;
  heads.trunk = node.get_in<int>("trunk", heads.trunk, 1, kMaxHeads);
  heads.pooler = node.get_in<int>("pooler", heads.pooler, 1, kMaxHeads);
  heads.text = node.get_in<int>("text", heads.text, 1, kMaxHeads);
  node.finish();
  return heads;
}

void read_device(const base::ConfigNode& node, EncoderConfig& config) {
  const auto text = node.get<std::string>("device", "auto");
  if (text == "auto") return;
  if (text == "cpu") {
    config.device = DeviceKind::kCpu;
    return;
  }
  config.device = DeviceKind::kCuda;
  if (text == "cuda") return;
  const std::string prefix = "cuda:";
  const char* const end = text.data() + text.size();
  const bool numbered = text.starts_with(prefix);
  const auto parsed = numbered ? std::from_chars(text.data() + prefix.size(), end, config.device_index)
                               : std::from_chars_result{text.data(), std::errc::invalid_argument};
  if (parsed.ec != std::errc{} || parsed.ptr != end || config.device_index < 0) {
    node.child("device").fail("\"" + text + "\" is no device; auto, cpu, cuda or cuda:K is");
  }
}

std::filesystem::path input_file(const base::ConfigNode& node, bool needed) {
  auto file = base::resolve_input_file(node.as<std::filesystem::path>());
  if (!needed) return file;
  const auto status = base::file_status(file, node.where() + ": " + node.key());
  if (std::filesystem::is_regular_file(status)) return file;
  if (std::filesystem::is_directory(status))
    node.fail(file.string() +
              " is a folder: name the file in it (of weights in several files, their index: " +
              "model.safetensors.index.json)");
  node.fail("there is no file " + file.string());
}

/// The files under `key`, which are needed; of one named "FILE::DATASET" the file.
std::vector<std::filesystem::path> input_files(const base::ConfigNode& node, const char* key, bool needed) {
  std::vector<std::filesystem::path> files;
  for (const auto& element : node.child(key).elements()) {
    const auto name = base::resolve_dataset_name(element.as<std::string>());
    if (needed && !std::filesystem::is_regular_file(
                      base::file_status(name.file, element.where() + ": " + element.key())))
      element.fail("there is no file " + name.file.string());
    files.push_back(name.text());
  }
  if (files.empty())
    node.fail(
        fmt::format("\"{}\" is missing: an imported encoder needs \"name\" (which encoder has made the "
                    "vectors), \"vectors\" (.npy or .h5 files) and \"ids\" (text files, a line for each "
                    "row)",
                    key));
  return files;
}

EncoderConfig read_imported(const base::ConfigNode& node, EncoderConfig config, bool files_needed) {
  config.name = node.require<std::string>("name");
  if (config.name.empty()) node.child("name").fail("it names the encoder that has made the vectors");
  config.vectors = input_files(node, "vectors", files_needed);
  config.ids = input_files(node, "ids", files_needed);
  config.batch_size = node.get_in<int>("batch_size", config.batch_size, 1, kMaxBatch);
  node.finish();
  return config;
}

}  // namespace

EncoderConfig encoder_config_from_yaml(const base::ConfigNode& node, bool files_needed) {
  EncoderConfig config;
  config.architecture = node.get<std::string>("architecture", config.architecture);
  const auto names = encoder_names();
  if (std::find(names.begin(), names.end(), config.architecture) == names.end()) {
    std::string list;
    for (const auto& name : names) list += (list.empty() ? "" : ", ") + name;
    node.child("architecture")
        .fail("there is no encoder \"" + config.architecture + "\"" +
              base::did_you_mean(config.architecture, names, ".") + " There are: " + list);
  }
  if (config.architecture == kImported) return read_imported(node, config, files_needed);
  if (node.has("weights")) {
    config.weights = input_file(node.child("weights"), files_needed);
  } else if (config.architecture != kMini) {
    node.fail("\"weights\" is missing: the weights file of " + config.architecture +
              (config.architecture == kTorchScript ? "" : " (tools/fetch-weights says where to get it)"));
  }
  if (node.has("vocabulary")) config.vocabulary = input_file(node.child("vocabulary"), files_needed);
  if (node.has("heads")) config.heads = heads_from_yaml(node.child("heads"), config.architecture);
  read_device(node, config);
  config.precision = node.get_enum("precision", config.precision,
                                   {{"float32", Precision::kFloat32},
                                    {"bfloat16", Precision::kBfloat16},
                                    {"float16", Precision::kFloat16}});
  config.batch_size = node.get_in<int>("batch_size", config.batch_size, 1, kMaxBatch);
  const bool script = config.architecture == kTorchScript;
  if (node.has("optimize")) {
    if (!script) node.child("optimize").fail("only a TorchScript encoder has this choice");
    config.optimize = node.get<bool>("optimize", config.optimize);
  }
  if (node.has("output")) {
    const auto output = node.child("output");
    if (!script) output.fail("only a TorchScript encoder has a choice of outputs");
    config.output_key = output.get<std::string>("key", "");
    config.output_index = output.get_in<int>("index", -1, 0, kMaxBatch);
    if (!config.output_key.empty() && config.output_index >= 0)
      output.fail("give either \"key\" or \"index\"");
    output.finish();
  }
  if (node.has("input")) {
    config.input = input_from_yaml(node.child("input"), effective_input(config));
  } else if (script) {
    node.fail(
        "\"input\" is missing: a TorchScript file does not say what pictures it wants (size, statistics)");
  }
  node.finish();
  return config;
}

}  // namespace quasar::encoder
